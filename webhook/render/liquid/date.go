package liquid

import (
	"encoding/json"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"
)

// date is the filter that writes a time by a format of strftime, in the time's own zone. It does
// not change a value that is not a time, or a time without a format.
func date(a *application, input any) (any, error) {
	format, err := a.text(a.args[0])
	if err != nil || format == "" || input == nil {
		return input, err
	}
	const cost = 512 // reading a time takes about as long as reading 512 bytes
	if err := a.Budget.spend(cost); err != nil {
		return nil, err
	}
	at, ok := a.time(input)
	if !ok {
		a.notice("leaves %s as it is: it is no time", quoted(input))
		return input, nil
	}
	return strftime(at, format)
}

// time returns the value as a time: a number since 1970, the word now or today, or a date in
// one of the known forms.
func (a *application) time(v any) (time.Time, bool) {
	const longest = 80
	switch v := v.(type) {
	case json.Number:
		return sinceEpoch(v)
	case string:
		if len(v) > longest {
			return time.Time{}, false
		}
		s := strings.ToUpper(strings.TrimSpace(v))
		switch {
		case s == "NOW" || s == "TODAY":
			return a.Now.UTC(), true
		case areDigits(strings.TrimPrefix(s, "-")):
			return sinceEpoch(json.Number(s))
		}
		return parseTime(s)
	}
	return time.Time{}, false
}

// sinceEpoch returns the time that long after the beginning of 1970. The size of the number says
// whether it counts seconds, milliseconds, microseconds or nanoseconds: up to 10^11 (the year 5138)
// it counts seconds, and the limit of each further unit is a thousand times as large.
func sinceEpoch(n json.Number) (time.Time, bool) {
	parts, ok := numericText(n)
	if !ok {
		return time.Time{}, false
	}
	d, fits := parts.decimal()
	if !fits || d.n.BitLen() > maxDigits {
		return time.Time{}, false
	}
	nanoseconds := new(big.Int).Mul(d.n, powerOf10(9))
	nanoseconds.Quo(nanoseconds, powerOf10(d.scale))
	unit := powerOf10(20) // 10^11 seconds
	for range 3 {
		if nanoseconds.CmpAbs(unit) < 0 {
			break
		}
		nanoseconds.Quo(nanoseconds, big.NewInt(1000))
	}
	seconds, rest := floored(nanoseconds, powerOf10(9))
	if nanoseconds.CmpAbs(unit) >= 0 {
		return time.Time{}, false
	}
	return time.Unix(seconds.Int64(), rest.Int64()).UTC(), true
}

// The forms of dates and times of day, in capitals. The weekday and the zone are removed before. If
// a number could be the day or the month, the day precedes a dash or dot, and the month precedes a
// slash, as CommBox and the countries that use these forms write them. The values of the numbers
// never decide: otherwise the same form would be read one way on the 12th and another on the 13th.
var (
	dateLayouts = []string{
		"2006-1-2", "2-1-2006", "1/2/2006", "2006/1/2", "2.1.2006", "20060102",
		"2 Jan 2006", "Jan 2 2006", "Jan 2, 2006", "2 January 2006", "January 2 2006", "January 2, 2006", "2-Jan-2006", "2006-Jan-2", "2006-002",
	}
	clockLayouts = []string{"15:04:05", "15:04", "3:04:05PM", "3:04PM"}
)

// zoneHours holds the zones that RFC 5322 section 4.3 names, and their offsets from UTC. Other
// names mean different zones in different countries.
var zoneHours = map[string]int{
	"Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}

// parseTime reads a time in capitals: a date, optionally with a time of day and a zone. The default
// zone is UTC.
func parseTime(s string) (time.Time, bool) {
	s, _, _ = strings.Cut(s, " (") // a comment, as in RFC 5322 and JavaScript
	if t := strings.IndexByte(s, 'T'); t > 0 && t+1 < len(s) && isDigit(s[t-1]) && isDigit(s[t+1]) {
		s = s[:t] + " " + extended(s[t+1:])
	}
	fields := strings.Fields(s)
	if len(fields) == 0 || len(fields) > 7 {
		return time.Time{}, false
	}
	if isWeekday(fields[0]) {
		fields = fields[1:]
	}
	clock, zone := "", time.UTC
	at := slices.IndexFunc(fields, func(field string) bool { return strings.Contains(field, ":") })
	if at >= 0 {
		var length int
		var ok bool
		if clock, zone, length, ok = clockOf(fields[at:]); !ok {
			return time.Time{}, false
		}
		fields = slices.Delete(slices.Clone(fields), at, at+length)
	}
	return assemble(strings.Join(fields, " "), clock, zone)
}

// extended adds the missing colons to an ISO 8601 time of day.
func extended(clock string) string {
	switch {
	case len(clock) >= 6 && areDigits(clock[:6]):
		return clock[:2] + ":" + clock[2:4] + ":" + clock[4:]
	case len(clock) >= 4 && areDigits(clock[:4]):
		return clock[:2] + ":" + clock[2:]
	}
	return clock
}

// assemble reads a date and a time of day.
func assemble(date, clock string, zone *time.Location) (time.Time, bool) {
	var day, since time.Time
	var err error
	if day, err = parseAny(dateLayouts, date); err != nil {
		return time.Time{}, false
	}
	if clock != "" {
		if since, err = parseAny(clockLayouts, clock); err != nil {
			return time.Time{}, false
		}
	}
	return time.Date(day.Year(), day.Month(), day.Day(), since.Hour(), since.Minute(), since.Second(), since.Nanosecond(), zone), true
}

func parseAny(layouts []string, s string) (at time.Time, err error) {
	for _, layout := range layouts {
		if at, err = time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	return at, err
}

// clockOf reads the time of day, AM or PM, and the zone from the beginning of the fields. length is
// the number of fields that it read.
func clockOf(fields []string) (clock string, zone *time.Location, length int, ok bool) {
	clock, zone, length = fields[0], time.UTC, 1
	if end := strings.IndexFunc(clock, func(c rune) bool { return c == '+' || c == '-' || c == 'Z' }); end > 0 {
		if zone, ok = zoneOf(clock[end:]); !ok {
			return "", nil, 0, false
		}
		clock = clock[:end]
	}
	for ; length < len(fields); length++ {
		field := fields[length]
		if field == "AM" || field == "PM" {
			clock += field
			continue
		}
		named, known := zoneOf(field)
		if !known {
			break
		}
		zone = named
	}
	return clock, zone, length, true
}

// zoneOf returns the zone of a name, of an offset such as +01:00, +0100 or +01, or of both, such as
// GMT+0100.
func zoneOf(s string) (*time.Location, bool) {
	if hours, known := zoneHours[s]; known {
		if s == "Z" || s == "UT" || s == "UTC" {
			return time.UTC, true
		}
		return time.FixedZone(s, hours*3600), true
	}
	offset := strings.TrimPrefix(strings.TrimPrefix(s, "UTC"), "GMT")
	if len(offset) < 3 || offset[0] != '+' && offset[0] != '-' {
		return nil, false
	}
	digits := strings.Replace(offset[1:], ":", "", 1)
	if !areDigits(digits) || len(digits) != 2 && len(digits) != 4 {
		return nil, false
	}
	hours, _ := strconv.Atoi(digits[:2])
	minutes, _ := strconv.Atoi(digits[2:])
	seconds := hours*3600 + minutes*60
	switch {
	case hours > 23 || minutes > 59:
		return nil, false
	case seconds == 0:
		return time.UTC, true
	case offset[0] == '-':
		seconds = -seconds
	}
	return time.FixedZone("", seconds), true
}

func isWeekday(s string) bool {
	s = strings.TrimSuffix(s, ",")
	for day := time.Sunday; day <= time.Saturday; day++ {
		if name := strings.ToUpper(day.String()); s == name || s == name[:3] {
			return true
		}
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
