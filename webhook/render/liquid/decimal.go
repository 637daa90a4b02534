package liquid

import (
	"encoding/json"
	"math/big"
	"strconv"
	"strings"
)

// maxDigits limits the digits of numbers in calculations, before and after the point. Longer
// numbers have no use, and the time of a multiplication grows with the square of their length.
const maxDigits = 400

// decimal is an exact number, n × 10^-scale. As in Ruby's Liquid, whole numbers and decimals
// differ: 7 is whole, 7.0 is not.
type decimal struct {
	n     *big.Int
	scale int // digits after the point
	whole bool
}

// wholeDecimal returns the whole number n.
func wholeDecimal(n *big.Int) decimal { return decimal{n: n, whole: true} }

// syntax holds the parts of a number's text.
type syntax struct {
	negative        bool
	whole, fraction string // digits
	exponent        string // with its sign; empty: none
}

// numberSyntax splits the text of a number. It accepts JSON's syntax, and also a leading plus, and
// a point with digits on one side only.
func numberSyntax(s string) (syntax, bool) {
	var parts syntax
	mantissa := s
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa, parts.exponent = s[:i], s[i+1:]
		if unsigned := strings.TrimLeft(parts.exponent, "+-"); len(parts.exponent)-len(unsigned) > 1 || !areDigits(unsigned) {
			return syntax{}, false
		}
	}
	if unsigned, negative := strings.CutPrefix(mantissa, "-"); negative {
		mantissa, parts.negative = unsigned, true
	} else {
		mantissa = strings.TrimPrefix(mantissa, "+")
	}
	point := false
	parts.whole, parts.fraction, point = strings.Cut(mantissa, ".")
	switch {
	case !areDigits(parts.whole + parts.fraction):
		return syntax{}, false
	case point && parts.fraction == "":
		parts.fraction = "0" // as 5., which is not a whole number
	}
	return parts, true
}

func areDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// decimal returns the number, or false if it has more than [maxDigits].
func (s syntax) decimal() (decimal, bool) {
	d := decimal{n: new(big.Int), whole: s.fraction == "" && s.exponent == ""}
	digits := strings.TrimLeft(s.whole+s.fraction, "0")
	if digits == "" {
		return d, true
	}
	exponent := 0
	if s.exponent != "" {
		var err error
		if exponent, err = strconv.Atoi(s.exponent); err != nil || exponent > maxDigits || exponent < -maxDigits {
			return decimal{}, false
		}
	}
	d.scale = len(s.fraction) - exponent
	if d.scale < 0 {
		digits, d.scale = digits+strings.Repeat("0", -d.scale), 0
	}
	if len(digits) > maxDigits || d.scale > maxDigits {
		return decimal{}, false
	}
	d.n.SetString(digits, 10)
	if s.negative {
		d.n.Neg(d.n)
	}
	return d, true
}

// number returns the result as a value, or false if it has more than [maxDigits].
func (d decimal) number() (json.Number, bool) {
	const bitsOfDigits = maxDigits * 3322 / 1000 // log2(10) is 3.322
	if d.n.BitLen() > bitsOfDigits || d.scale > maxDigits {
		return "", false
	}
	if d.whole {
		return json.Number(d.n.String()), true
	}
	digits := new(big.Int).Abs(d.n).String()
	if missing := d.scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - d.scale
	fraction := strings.TrimRight(digits[point:], "0")
	if fraction == "" {
		fraction = "0" // a decimal stays a decimal, as 2.0 in Ruby
	}
	sign := ""
	if d.n.Sign() < 0 {
		sign = "-"
	}
	return json.Number(sign + digits[:point] + "." + fraction), true
}

func powerOf10(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

// aligned returns the two numbers in units of the last digit of the more precise one.
func aligned(x, y decimal) (xn, yn *big.Int, scale int) {
	scale = max(x.scale, y.scale)
	scaled := func(d decimal) *big.Int {
		if d.scale == scale {
			return d.n
		}
		return new(big.Int).Mul(d.n, powerOf10(scale-d.scale))
	}
	return scaled(x), scaled(y), scale
}

func (d decimal) compare(other decimal) int {
	x, y, _ := aligned(d, other)
	return x.Cmp(y)
}

func (d decimal) plus(other decimal) decimal {
	x, y, scale := aligned(d, other)
	return decimal{n: new(big.Int).Add(x, y), scale: scale, whole: d.whole && other.whole}
}

func (d decimal) minus(other decimal) decimal {
	x, y, scale := aligned(d, other)
	return decimal{n: new(big.Int).Sub(x, y), scale: scale, whole: d.whole && other.whole}
}

func (d decimal) times(other decimal) decimal {
	return decimal{n: new(big.Int).Mul(d.n, other.n), scale: d.scale + other.scale, whole: d.whole && other.whole}
}

// dividedBy divides by a number that is not zero. The quotient of whole numbers is rounded down to
// a whole number. A decimal that does not end is rounded to the nearest double, as Ruby and
// JavaScript show it. It returns false if the result is too large for a double.
func (d decimal) dividedBy(other decimal) (decimal, bool) {
	x, y, _ := aligned(d, other)
	if d.whole && other.whole {
		quotient, _ := floored(x, y)
		return wholeDecimal(quotient), true
	}
	quotient := new(big.Rat).SetFrac(x, y)
	const longest = 40 // exact digits after the point
	if digits, exact := quotient.FloatPrec(); exact && digits <= longest {
		n := new(big.Int).Mul(quotient.Num(), powerOf10(digits))
		return decimal{n: n.Quo(n, quotient.Denom()), scale: digits}, true
	}
	nearest, _ := quotient.Float64()
	parts, ok := numberSyntax(strconv.FormatFloat(nearest, 'f', -1, 64))
	if !ok { // an infinity
		return decimal{}, false
	}
	result, fits := parts.decimal()
	result.whole = false
	return result, fits
}

// modulo returns the remainder of a division by a number that is not zero, with the divisor's sign.
func (d decimal) modulo(other decimal) decimal {
	x, y, scale := aligned(d, other)
	_, rest := floored(x, y)
	return decimal{n: rest, scale: scale, whole: d.whole && other.whole}
}

// floored divides and rounds down to a whole number.
func floored(x, y *big.Int) (quotient, rest *big.Int) {
	quotient, rest = new(big.Int).QuoRem(x, y, new(big.Int))
	if rest.Sign() != 0 && rest.Sign() != y.Sign() {
		quotient.Sub(quotient, big.NewInt(1))
		rest.Add(rest, y)
	}
	return quotient, rest
}

func (d decimal) floor() decimal {
	quotient, _ := floored(d.n, powerOf10(d.scale))
	return wholeDecimal(quotient)
}

func (d decimal) ceil() decimal {
	quotient, _ := floored(new(big.Int).Neg(d.n), powerOf10(d.scale))
	return wholeDecimal(quotient.Neg(quotient))
}

// round rounds to that many digits after the point, half away from zero. A negative number rounds
// before the point.
func (d decimal) round(digits int) decimal {
	result := d
	if drop := d.scale - digits; drop > 0 {
		unit := powerOf10(drop)
		half := new(big.Int).Quo(unit, big.NewInt(2))
		n := new(big.Int).Abs(d.n)
		n.Quo(n.Add(n, half), unit)
		if d.n.Sign() < 0 {
			n.Neg(n)
		}
		result.n, result.scale = n, digits
	}
	if digits <= 0 {
		if result.scale < 0 {
			result.n, result.scale = result.n.Mul(result.n, powerOf10(-result.scale)), 0
		}
		result.whole = true
	}
	return result
}
