package switchboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration whose JSON is written as in Go, "5s" or "1h30m", so that its unit is
// clear.
type Duration time.Duration

// MarshalText writes the duration as in Go.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(d.String()), nil
}

// UnmarshalText reads a duration as in Go. It may begin with whole days, of 24 hours each:
// "90d", "1d12h".
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// ParseDuration reads a duration as [Duration.UnmarshalText] does.
func ParseDuration(text string) (time.Duration, error) {
	wrong := fmt.Errorf("%q is not a duration such as \"5s\", \"1h30m\" or \"7d\"", text)
	days, rest, found := strings.Cut(text, "d")
	if !found {
		v, err := time.ParseDuration(text)
		if err != nil {
			return 0, wrong
		}
		return v, nil
	}
	whole, err := strconv.ParseUint(days, 10, 16) // 65,535 days fit into a time.Duration by far
	if err != nil || strings.ContainsAny(rest, "+-") {
		return 0, wrong
	}
	var v time.Duration
	if rest != "" {
		if v, err = time.ParseDuration(rest); err != nil || v > math.MaxInt64-time.Duration(whole)*day {
			return 0, wrong
		}
	}
	return time.Duration(whole)*day + v, nil
}

const day = 24 * time.Hour

// String writes the duration as in Go, without units that are zero: "10h", not "10h0m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if rest, ok := strings.CutSuffix(s, "m0s"); ok {
		s = rest + "m"
	}
	if rest, ok := strings.CutSuffix(s, "h0m"); ok {
		s = rest + "h"
	}
	return s
}
