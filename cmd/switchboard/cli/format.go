package cli

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// newKey makes an Idempotency-Key.
func newKey() string { return rand.Text() }

// span writes a length of time in its largest unit, or its two largest: "2 h 7 min".
func span(d time.Duration, units int) string {
	d = max(d, 0).Round(time.Second)
	if d < time.Second {
		return "0 s"
	}
	var parts []string
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.length; n > 0 && len(parts) < units {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
			d -= n * unit.length
		} else if len(parts) > 0 {
			break // "1 d 3 s" would be odd
		}
	}
	return strings.Join(parts, " ")
}

// relative writes a time relative to now, or "" for the zero time.
func (s *Session) relative(t time.Time) string { return s.relativeIn(t, 1) }

func (s *Session) relativeIn(t time.Time, units int) string {
	switch d := t.Sub(s.Now()); {
	case t.IsZero():
		return ""
	case d > time.Second:
		return "in " + span(d, units)
	case d > -time.Second:
		return "now"
	default:
		return span(-d, units) + " ago"
	}
}

// moment writes a time in full: in UTC, and relative to now.
func (s *Session) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s UTC (%s)", t.UTC().Format("2006-01-02 15:04:05"), s.relativeIn(t, 2))
}

// value returns what a pointer points to, or zero.
func value[T any](pointer *T) T {
	var none T
	if pointer == nil {
		return none
	}
	return *pointer
}

// clean removes control characters from a text, which may be a receiver's: a terminal would execute
// them.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return ' '
		}
		return r
	}, text)
}

// count writes a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	plural := noun + "s"
	if stem, ok := strings.CutSuffix(noun, "y"); ok {
		plural = stem + "ies"
	}
	return thousands(n) + " " + plural
}

// thousands separates the thousands of a number.
func thousands(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
