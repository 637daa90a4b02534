package switchboard

import (
	"errors"
	"regexp"
	"strings"
	"time"
)

// timePattern is the grammar of RFC 3339, section 5.6: T and Z in either case, a point before
// the fraction, and offsets below 24 hours. For a second 60 see [ParseTime].
var timePattern = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d):([0-5]\d|60)(\.\d{1,32})?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$`)

var (
	errNoTime   = errors.New(`must be a time in RFC 3339, such as "2026-01-31T12:00:00Z"`)
	errZeroTime = errors.New("is the zero time of a program (0001-01-01T00:00:00Z), which stands for none: leave the field out")
	errYear     = errors.New("must be in the years 1 to 9999 in UTC")
	errLeap     = errors.New("has a second 60, which is only at 23:59:60 UTC on the last day of a month")
)

// ParseTime reads a time that a caller gives in a body or query: RFC 3339 and nothing else. It
// keeps microseconds, as Postgres does. A leap second becomes the last microsecond before its end,
// because neither Go nor Postgres has leap seconds.
//
// The zero time is refused: programs in Go and .NET write it for a time that was never set, and our
// code uses it for a missing time. The error does not repeat the text.
func ParseTime(text string) (time.Time, error) {
	parts := timePattern.FindStringSubmatch(text)
	if parts == nil {
		return time.Time{}, errNoTime
	}
	date, minute, second, fraction, offset := parts[1], parts[2], parts[3], parts[4], strings.ToUpper(parts[5])
	leap := second == "60"
	if leap {
		second, fraction = "59", ".999999"
	}
	at, err := time.Parse(time.RFC3339Nano, date+"T"+minute+":"+second+fraction+offset)
	if err != nil { // for example, February 30
		return time.Time{}, errNoTime
	}
	at = at.UTC().Truncate(time.Microsecond)
	switch {
	case at.IsZero():
		return time.Time{}, errZeroTime
	case at.Year() < 1 || at.Year() > 9999:
		return time.Time{}, errYear
	case leap && (at.Hour() != 23 || at.Minute() != 59 || at.Add(time.Second).Day() != 1):
		return time.Time{}, errLeap // RFC 3339, 5.7
	}
	return at, nil
}
