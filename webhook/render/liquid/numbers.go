package liquid

import (
	"encoding/json"
	"math/big"
	"strings"
)

// The errors that numbers of the event may cause.
var (
	errLarge = &noValueError{"makes or takes a number of more than 400 digits"}
	errZero  = &noValueError{"cannot divide by zero"}
)

// longestNumber is the maximum length of a number's text: a point, and digits on both sides.
const longestNumber = 2*maxDigits + 8

// numericText returns the text of a value that is a number, or a text that is one: platforms
// write numbers as strings too.
func numericText(v any) (syntax, bool) {
	switch v := v.(type) {
	case json.Number:
		if len(v) <= longestNumber {
			return numberSyntax(string(v))
		}
	case string:
		if len(v) <= longestNumber {
			return numberSyntax(strings.TrimSpace(v))
		}
	}
	return syntax{}, false
}

// number returns the value as a number. Other values count as 0, as in LiquidJS and, except for
// text that begins with digits, in Ruby's Liquid.
func (a *application) number(v any) (decimal, error) {
	size := 0
	switch v := v.(type) {
	case json.Number:
		if size = len(v); size > longestNumber {
			return decimal{}, errLarge
		}
	case string:
		size = min(len(v), longestNumber)
	}
	if err := a.Budget.spend(calculationCost + size + size*size/squareCost); err != nil {
		return decimal{}, err
	}
	parts, ok := numericText(v)
	if !ok {
		if v != nil {
			a.notice("takes %s for 0: it is no number", quoted(v))
		}
		return wholeDecimal(new(big.Int)), nil
	}
	d, fits := parts.decimal()
	if !fits {
		return decimal{}, errLarge
	}
	return d, nil
}

// numberCost is the work of comparing two numbers, calculationCost that of calculating with one,
// both in addition to its length. The time of a calculation grows with the square of the length;
// squareCost units of it take as long as reading one byte.
const (
	numberCost      = 16
	calculationCost = 64
	squareCost      = 64
)

func result(d decimal) (any, error) {
	n, fits := d.number()
	if !fits {
		return nil, errLarge
	}
	return n, nil
}

// ofNumber makes a filter of one number.
func ofNumber(f func(decimal) decimal) func(*application, any) (any, error) {
	return func(a *application, input any) (any, error) {
		d, err := a.number(input)
		if err != nil {
			return nil, err
		}
		return result(f(d))
	}
}

// ofNumbers makes a filter of two numbers.
func ofNumbers(f func(x, y decimal) (decimal, error)) func(*application, any) (any, error) {
	return func(a *application, input any) (any, error) {
		x, err := a.number(input)
		if err != nil {
			return nil, err
		}
		y, err := a.number(a.args[0])
		if err != nil {
			return nil, err
		}
		d, err := f(x, y)
		if err != nil {
			return nil, err
		}
		return result(d)
	}
}

// always adds a nil error to the result of a function that cannot fail.
func always(f func(x, y decimal) decimal) func(x, y decimal) (decimal, error) {
	return func(x, y decimal) (decimal, error) { return f(x, y), nil }
}

func divide(x, y decimal) (decimal, error) {
	if y.n.Sign() == 0 {
		return decimal{}, errZero
	}
	quotient, fits := x.dividedBy(y)
	if !fits {
		return decimal{}, errLarge
	}
	return quotient, nil
}

func modulo(x, y decimal) (decimal, error) {
	if y.n.Sign() == 0 {
		return decimal{}, errZero
	}
	return x.modulo(y), nil
}

func atLeast(x, y decimal) decimal {
	if y.compare(x) > 0 {
		return y
	}
	return x
}

func atMost(x, y decimal) decimal {
	if y.compare(x) < 0 {
		return y
	}
	return x
}

func absolute(d decimal) decimal {
	d.n = new(big.Int).Abs(d.n)
	return d
}

// maxRound limits the digits argument of round.
const maxRound = 100

func round(a *application, input any) (any, error) {
	digits := a.whole(0, 0)
	d, err := a.number(input)
	if err != nil {
		return nil, err
	}
	return result(d.round(max(-maxRound, min(digits, maxRound))))
}
