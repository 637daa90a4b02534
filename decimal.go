package switchboard

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"
)

// Decimal is an exact number, ±0.digits × 10^point. Each number has only one form, so == compares
// numbers. Unlike the numbers of math/big, it takes no more memory than its digits, whatever its
// exponent: an event may have 1e999999999.
type Decimal struct {
	negative bool
	digits   string // the first and the last are not 0; empty: zero
	point    int
}

// ParseDecimal reads a number in JSON's syntax. An exponent beyond 32 bits is cut to them.
func ParseDecimal(n json.Number) Decimal {
	unsigned, negative := strings.CutPrefix(string(n), "-")
	mantissa := unsigned
	exponent := int64(0)
	if i := strings.IndexAny(unsigned, "eE"); i >= 0 {
		mantissa = unsigned[:i]
		exponent, _ = strconv.ParseInt(unsigned[i+1:], 10, 32) // cut to 32 bits if it is out of range
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(digits) - len(fraction) + int(exponent)
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return Decimal{}
	}
	return Decimal{negative: negative, digits: digits, point: point}
}

// Exponent returns the power of ten of the number: the number is below 10 to the exponent.
func (d Decimal) Exponent() int { return d.point }

// Compare returns -1, 0 or 1.
func (d Decimal) Compare(other Decimal) int {
	sign := d.sign()
	if order := cmp.Compare(sign, other.sign()); order != 0 {
		return order
	}
	return sign * cmp.Or(cmp.Compare(d.point, other.point), strings.Compare(d.digits, other.digits))
}

func (d Decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}
