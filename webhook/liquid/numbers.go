package liquid

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
)

var (
	errNumber = errors.New("needs numbers")
	errZero   = errors.New("cannot divide by zero")
	errLarge  = errors.New("makes a number that is too large")
)

// numeric is the value as the text of a number. Platforms write numbers as strings
// too, so text that is a number counts as one.
func numeric(v any) (json.Number, bool) {
	const longest = 400
	n, ok := v.(json.Number)
	if s, isText := v.(string); isText && len(s) <= longest {
		n, ok = json.Number(strings.TrimSpace(s)), true
	}
	if !ok || len(n) > longest || strings.Trim(string(n), "0123456789.eE+-") != "" {
		return "", false
	}
	f, err := strconv.ParseFloat(string(n), 64)
	return n, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// wholeOf is the value as a whole number of 64 bits.
func wholeOf(v any) (int64, bool) {
	n, ok := numeric(v)
	if !ok {
		return 0, false
	}
	whole, err := strconv.ParseInt(string(n), 10, 64)
	return whole, err == nil
}

// numberOf makes a value of a result.
func numberOf(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errLarge
	}
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64)), nil
}

func wholeNumber(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// arithmetic makes a filter of two numbers. Whole ones are reckoned exactly; exact
// says with false that the result does not fit 64 bits.
func arithmetic(exact func(a, b int64) (int64, bool), inexact func(a, b float64) float64) func(*application, any) (any, error) {
	return func(a *application, input any) (any, error) {
		x, isX := wholeOf(input)
		y, isY := wholeOf(a.args[0])
		if isX && isY {
			result, fits := exact(x, y)
			if !fits {
				return nil, errLarge
			}
			return wholeNumber(result), nil
		}
		left, isLeft := numeric(input)
		right, isRight := numeric(a.args[0])
		if !isLeft || !isRight {
			return nil, errNumber
		}
		return numberOf(inexact(float(left), float(right)))
	}
}

func plus(a *application, input any) (any, error) {
	return arithmetic(func(x, y int64) (int64, bool) {
		sum := x + y
		return sum, (sum > x) == (y > 0)
	}, func(x, y float64) float64 { return x + y })(a, input)
}

func minus(a *application, input any) (any, error) {
	return arithmetic(func(x, y int64) (int64, bool) {
		rest := x - y
		return rest, (rest < x) == (y > 0)
	}, func(x, y float64) float64 { return x - y })(a, input)
}

func times(a *application, input any) (any, error) {
	return arithmetic(func(x, y int64) (int64, bool) {
		if x == 0 || y == 0 {
			return 0, true
		}
		product := x * y
		return product, product/y == x && (x != -1 || y != math.MinInt64) && (y != -1 || x != math.MinInt64)
	}, func(x, y float64) float64 { return x * y })(a, input)
}

// dividedBy divides; whole numbers give the whole number below, as Liquid has it.
func dividedBy(a *application, input any) (any, error) {
	if err := a.divides(); err != nil {
		return nil, err
	}
	return arithmetic(func(x, y int64) (int64, bool) {
		quotient := x / y
		if x%y != 0 && (x < 0) != (y < 0) {
			quotient--
		}
		return quotient, y != -1 || x != math.MinInt64
	}, func(x, y float64) float64 { return x / y })(a, input)
}

func modulo(a *application, input any) (any, error) {
	if err := a.divides(); err != nil {
		return nil, err
	}
	return arithmetic(func(x, y int64) (int64, bool) {
		rest := x % y
		if rest != 0 && (rest < 0) != (y < 0) {
			rest += y
		}
		return rest, true
	}, func(x, y float64) float64 { return x - y*math.Floor(x/y) })(a, input)
}

// divides is an error where the argument is zero.
func (a *application) divides() error {
	n, ok := numeric(a.args[0])
	switch {
	case !ok:
		return errNumber
	case float(n) == 0:
		return errZero
	}
	return nil
}

// rounding makes a filter that leaves whole numbers as they are.
func rounding(f func(float64) float64) func(any) (any, error) {
	return func(input any) (any, error) {
		if n, ok := wholeOf(input); ok {
			return wholeNumber(n), nil
		}
		n, ok := numeric(input)
		if !ok {
			return nil, errNumber
		}
		return numberOf(f(float(n)))
	}
}

func ceil(_ *application, input any) (any, error)  { return rounding(math.Ceil)(input) }
func floor(_ *application, input any) (any, error) { return rounding(math.Floor)(input) }

// round rounds to so many digits behind the point, none if not told.
func round(a *application, input any) (any, error) {
	digits, err := a.whole(0, 0)
	if err != nil || digits < 0 || digits > 15 {
		return nil, errors.New("takes 0 to 15 digits")
	}
	scale := math.Pow10(digits)
	return rounding(func(f float64) float64 { return math.Round(f*scale) / scale })(input)
}

func abs(_ *application, input any) (any, error) {
	n, ok := numeric(input)
	if !ok {
		return nil, errNumber
	}
	return json.Number(strings.TrimLeft(string(n), "+-")), nil
}
