package liquid

import (
	"cmp"
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"

	"switchboard/webhook/document"
)

func (c comparison) evaluate(r *renderer) (any, error) {
	left, err := r.tested(c.left)
	if err != nil {
		return nil, err
	}
	right, err := r.tested(c.right)
	if err != nil {
		return nil, err
	}
	switch c.operator {
	case "==":
		return r.equal(left, right)
	case "!=", "<>":
		same, err := r.equal(left, right)
		return !same, err
	case "contains":
		return r.contains(left, right)
	}
	if left == nil || right == nil {
		return false, nil
	}
	order, err := r.order(left, right)
	switch c.operator {
	case "<":
		return order < 0, err
	case "<=":
		return order <= 0, err
	case ">":
		return order > 0, err
	}
	return order >= 0, err
}

// numberCost is the work of comparing two numbers: to read them takes longer than to
// look at their bytes.
const numberCost = 16

// spendOn pays for reading two numbers, before either is read: both may be long.
func (b *Budget) spendOn(x, y json.Number) error { return b.spend(numberCost + len(x) + len(y)) }

// equal reports whether two values are the same. Text and number never are.
func (r *renderer) equal(a, b any) (bool, error) {
	if err := r.Budget.spend(1); err != nil {
		return false, err
	}
	if s, ok := a.(special); ok {
		return s.fits(b), nil
	}
	if s, ok := b.(special); ok {
		return s.fits(a), nil
	}
	switch a := a.(type) {
	case string:
		b, ok := b.(string)
		return ok && a == b, r.Budget.spend(min(len(a), len(b)))
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false, nil
		}
		if err := r.Budget.spendOn(a, b); err != nil {
			return false, err
		}
		return compareNumbers(a, b) == 0, nil
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false, nil
		}
		for i := range a {
			if same, err := r.equal(a[i], b[i]); err != nil || !same {
				return false, err
			}
		}
		return true, nil
	case *document.Object:
		b, ok := b.(*document.Object)
		return ok && a == b, nil
	}
	return a == b, nil // nil and bool
}

// fits reports whether the value is what the question asks for.
func (s special) fits(v any) bool {
	switch v := v.(type) {
	case nil:
		return s == blank
	case bool:
		return s == blank && !v
	case string:
		return v == "" || s == blank && strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case *document.Object:
		return v.Len() == 0
	case special:
		return s == v
	}
	return false
}

// contains reports whether a text holds another, an array a value, or an object a name.
func (r *renderer) contains(a, b any) (bool, error) {
	switch a := a.(type) {
	case string:
		if b == nil {
			return false, nil
		}
		if err := r.Budget.spend(len(a) + sizeOf(b, r.Budget.Work)); err != nil {
			return false, err
		}
		return strings.Contains(a, textOf(b)), nil
	case []any:
		for _, item := range a {
			if same, err := r.equal(item, b); err != nil || same {
				return same, err
			}
		}
	case *document.Object:
		name, ok := b.(string)
		_, found := a.Get(name)
		return ok && found, nil
	}
	return false, nil
}

var errOrder = errors.New("compares values that have no order, as text with a number")

func (r *renderer) order(a, b any) (int, error) {
	switch a := a.(type) {
	case json.Number:
		if b, ok := b.(json.Number); ok {
			if err := r.Budget.spendOn(a, b); err != nil {
				return 0, err
			}
			return compareNumbers(a, b), nil
		}
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b), r.Budget.spend(min(len(a), len(b)))
		}
	}
	return 0, errOrder
}

// compareNumbers compares whole numbers exactly, as an id beyond 2^53, and others as
// floating point does.
func compareNumbers(a, b json.Number) int {
	const longest = 100 // digits worth an exact comparison: its time grows with their square
	if a == b {
		return 0
	}
	if len(a) <= longest && len(b) <= longest {
		x, isX := new(big.Int).SetString(string(a), 10)
		y, isY := new(big.Int).SetString(string(b), 10)
		if isX && isY {
			return x.Cmp(y)
		}
	}
	return cmp.Compare(float(a), float(b))
}

// float is the number as floating point; one that is too large is an infinity.
func float(n json.Number) float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}
