package switchboard

import (
	"fmt"
	"strings"
	"time"
)

// Duration is a time.Duration that is written Go style in JSON, as "5s" or
// "1h30m", so that nobody has to guess a unit.
type Duration time.Duration

// MarshalText writes the duration Go style.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(d.String()), nil
}

// UnmarshalText reads a Go style duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as \"5s\" or \"1h30m\"", text)
	}
	*d = Duration(v)
	return nil
}

// String writes the duration Go style, without the units that are zero: "10h" and
// not "10h0m0s".
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
