package switchboard

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
)

// decimal is an exact number, ±0.digits × 10^point, in one form only: equal numbers
// are equal by ==. Unlike those of math/big, it takes no more room than its digits
// do, whatever its exponent: an event may well hold 1e999999999.
type decimal struct {
	negative bool
	digits   string // the first and the last are not 0; empty: zero
	point    int
}

// maxExponent is that of a filter's numbers. An event's that is greater than 32
// bits is cut to those, which leaves it beyond all of a filter's.
const maxExponent = 1_000_000_000

// newDecimal reads a number in JSON's syntax.
func newDecimal(n json.Number) decimal {
	unsigned, negative := strings.CutPrefix(string(n), "-")
	mantissa := unsigned
	exponent := int64(0)
	if i := strings.IndexAny(unsigned, "eE"); i >= 0 {
		mantissa = unsigned[:i]
		exponent, _ = strconv.ParseInt(unsigned[i+1:], 10, 32) // what is out of range is cut
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(digits) - len(fraction) + int(exponent)
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return decimal{}
	}
	return decimal{negative: negative, digits: digits, point: point}
}

func (d decimal) compare(other decimal) int {
	sign := d.sign()
	if order := cmp.Compare(sign, other.sign()); order != 0 {
		return order
	}
	return sign * cmp.Or(cmp.Compare(d.point, other.point), strings.Compare(d.digits, other.digits))
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}
