package switchboard

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
)

func FuzzDecimal(f *testing.F) {
	for _, pair := range [][2]string{{"0", "-0.0e5"}, {"1", "1.0"}, {"10", "1e1"}, {"0.001", "1E-3"}, {"-2", "-10"}, {"9007199254740993", "9007199254740992"}, {"0.1", "0"}, {"-0.1", "0"}, {"100", "99.99"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := rational(a), rational(b)
		if x == nil || y == nil {
			t.Skip()
		}
		one, other := ParseDecimal(json.Number(a)), ParseDecimal(json.Number(b))
		if got, want := one.Compare(other), x.Cmp(y); got != want {
			t.Errorf("%s against %s: %d; want %d", a, b, got, want)
		}
		if (one == other) != (x.Cmp(y) == 0) {
			t.Errorf("%s and %s: %+v and %+v", a, b, one, other)
		}
	})
}

// rational reads a number in JSON's syntax whose exponent is small; nil: it is not one.
func rational(s string) *big.Rat {
	var n json.Number
	if json.Unmarshal([]byte(s), &n) != nil || strings.HasPrefix(s, `"`) || strings.TrimSpace(s) != s || n == "" {
		return nil
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 && len(s)-i > 5 {
		return nil
	}
	r, _ := new(big.Rat).SetString(s)
	return r
}
