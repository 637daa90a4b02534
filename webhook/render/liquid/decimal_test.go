package liquid

import (
	"math/big"
	"testing"
)

// FuzzNumbers compares the results of calculations with the fractions of math/big.
func FuzzNumbers(f *testing.F) {
	for _, pair := range [][2]string{{"19.99", "100"}, {"-7", "2"}, {"-7.5", "0.3"}, {"12345678901234567890", "-1e3"}, {"1e-9", "+.5"}, {"5.", "-0.0"}, {"0.0000001", "1e300"}} {
		f.Add(pair[0], pair[1], 2)
	}
	f.Fuzz(func(t *testing.T, a, b string, digits int) {
		x, okX := read1(a)
		y, okY := read1(b)
		if !okX || !okY {
			return
		}
		ratX, ratY := x.rat(), y.rat()
		same := func(name string, got decimal, want *big.Rat) {
			t.Helper()
			if got.rat().Cmp(want) != 0 {
				t.Errorf("%s %s %s: %s; want %s", a, name, b, got.rat(), want)
			}
			if n, fits := got.number(); fits {
				if again, ok := read1(string(n)); !ok || again.rat().Cmp(want) != 0 || again.whole != got.whole {
					t.Errorf("%s %s %s is written as %s", a, name, b, n)
				}
			}
		}
		same("plus", x.plus(y), new(big.Rat).Add(ratX, ratY))
		same("minus", x.minus(y), new(big.Rat).Sub(ratX, ratY))
		same("times", x.times(y), new(big.Rat).Mul(ratX, ratY))
		if x.compare(y) != ratX.Cmp(ratY) {
			t.Errorf("%s compared with %s: %d", a, b, x.compare(y))
		}
		floor := new(big.Rat).SetInt(floorOf(ratX))
		same("floor", x.floor(), floor)
		same("ceil", x.ceil(), new(big.Rat).Neg(new(big.Rat).SetInt(floorOf(new(big.Rat).Neg(ratX)))))
		same("round", x.round(digits%50), rounded(ratX, digits%50))
		if ratY.Sign() != 0 {
			quotient := new(big.Rat).Quo(ratX, ratY)
			below := new(big.Rat).SetInt(floorOf(quotient))
			same("modulo", x.modulo(y), new(big.Rat).Sub(ratX, new(big.Rat).Mul(ratY, below)))
			if got, fits := x.dividedBy(y); x.whole && y.whole {
				same("divided by", got, below)
			} else if size := new(big.Rat).Abs(quotient); fits && size.Cmp(new(big.Rat).Inv(new(big.Rat).SetInt(powerOf10(300)))) > 0 { // below, a double has fewer digits
				wrong := new(big.Rat).Quo(new(big.Rat).Sub(got.rat(), quotient), quotient)
				if wrong.Abs(wrong).Cmp(big.NewRat(1, 1<<52)) > 0 {
					t.Errorf("%s divided by %s: %s", a, b, got.rat().FloatString(30))
				}
			}
		}
	})
}

func read1(s string) (decimal, bool) {
	parts, ok := numberSyntax(s)
	if !ok {
		return decimal{}, false
	}
	return parts.decimal()
}

func (d decimal) rat() *big.Rat { return new(big.Rat).SetFrac(d.n, powerOf10(d.scale)) }

func floorOf(r *big.Rat) *big.Int {
	quotient, _ := floored(r.Num(), r.Denom())
	return quotient
}

// rounded rounds half away from zero.
func rounded(r *big.Rat, digits int) *big.Rat {
	unit := new(big.Rat).SetInt(powerOf10(max(digits, -digits)))
	if digits < 0 {
		unit.Inv(unit)
	}
	scaled := new(big.Rat).Mul(r, unit)
	half := floorOf(new(big.Rat).Add(new(big.Rat).Abs(scaled), big.NewRat(1, 2)))
	if r.Sign() < 0 {
		half.Neg(half)
	}
	return new(big.Rat).Quo(new(big.Rat).SetInt(half), unit)
}
