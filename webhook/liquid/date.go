package liquid

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var errTime = errors.New("needs a time, as 2026-03-01T12:00:00Z or in seconds since 1970")

// date is the filter that writes a time, given as text or in seconds since 1970, by a
// format of strftime, in the time's own zone.
func date(a *application, input any) (any, error) {
	format, err := a.text(a.args[0])
	if err != nil {
		return nil, err
	}
	at, err := timeOf(input)
	if err != nil {
		return nil, err
	}
	return strftime(at, format)
}

func timeOf(v any) (time.Time, error) {
	if seconds, ok := wholeOf(v); ok {
		return time.Unix(seconds, 0).UTC(), nil
	}
	s, _ := v.(string)
	const longest = 64
	if len(s) > longest {
		return time.Time{}, errTime
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05 -0700", time.DateTime, "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, nil
		}
	}
	return time.Time{}, errTime
}

func strftime(at time.Time, format string) (string, error) {
	var b strings.Builder
	for format != "" {
		before, after, found := strings.Cut(format, "%")
		b.WriteString(before)
		if !found {
			break
		}
		if after == "" {
			return "", errors.New("has a format that ends with %")
		}
		if format = after[1:]; after[0] == '%' {
			b.WriteByte('%')
			continue
		}
		written, ok := directive(at, after[0])
		if !ok {
			return "", fmt.Errorf("does not know %%%s in a format", strings.ToValidUTF8(after[:1], "�"))
		}
		if b.WriteString(written); b.Len() > MaxValue {
			return "", errLong
		}
	}
	return b.String(), nil
}

// directive writes what one letter of strftime stands for.
func directive(at time.Time, letter byte) (string, bool) {
	switch letter {
	case 's':
		return strconv.FormatInt(at.Unix(), 10), true
	case 'L':
		return fmt.Sprintf("%03d", at.Nanosecond()/1e6), true
	case 'N':
		return fmt.Sprintf("%09d", at.Nanosecond()), true
	case 'u':
		return strconv.Itoa((int(at.Weekday())+6)%7 + 1), true
	case 'w':
		return strconv.Itoa(int(at.Weekday())), true
	}
	layout, ok := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'B': "January", 'b': "Jan", 'h': "Jan", 'd': "02", 'e': "_2", 'j': "002",
		'A': "Monday", 'a': "Mon", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'P': "pm",
		'z': "-0700", 'Z': "MST", 'F': time.DateOnly, 'T': time.TimeOnly, 'R': "15:04", 'D': "01/02/06",
	}[letter]
	return at.Format(layout), ok
}
