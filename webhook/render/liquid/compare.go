package liquid

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/seed-49a43567/switchboard/webhook/render/document"
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
	order, ordered, err := r.order(left, right)
	if err != nil || !ordered {
		return false, err
	}
	switch c.operator {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// spendOn spends the cost of reading two numbers, before either is read: both may be long.
func (b *Budget) spendOn(x, y json.Number) error { return b.spend(numberCost + len(x) + len(y)) }

// equal reports whether two values are the same. A text never equals a number, as in both
// references: the id 007 is not the id 7.
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
		if _, isNumber := b.(json.Number); isNumber {
			r.noticeText(a, a, b)
		}
		b, ok := b.(string)
		return ok && a == b, r.Budget.spend(min(len(a), len(b)))
	case json.Number:
		if s, isText := b.(string); isText {
			r.noticeText(s, a, b)
		}
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

// noticeText notes that a text that looks like a number is compared with a number.
func (r *renderer) noticeText(s string, a, b any) {
	if r.Notice == nil {
		return
	}
	if _, isNumber := numericText(s); isNumber {
		r.Notice(quoted(a) + " and " + quoted(b) + " are compared as text and number, which are never equal")
	}
}

// fits reports whether the value is blank or empty, as asked.
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

// order compares two values. If one is a number, a text that is a number counts as that number; two
// texts compare as text. Other values have no order, and every comparison of them is false.
func (r *renderer) order(a, b any) (order int, ordered bool, err error) {
	textA, isTextA := a.(string)
	textB, isTextB := b.(string)
	if isTextA && isTextB {
		return cmp.Compare(textA, textB), true, r.Budget.spend(min(len(textA), len(textB)))
	}
	x, isX := numberIn(a)
	y, isY := numberIn(b)
	if !isX || !isY {
		if a != nil && b != nil && r.Notice != nil {
			r.Notice("a comparison of " + quoted(a) + " with " + quoted(b) + ", which have no order, does not hold")
		}
		return 0, false, nil
	}
	if err := r.Budget.spendOn(x, y); err != nil {
		return 0, false, err
	}
	return compareNumbers(x, y), true, nil
}

// numberIn returns the number that a value, or its text, is.
func numberIn(v any) (json.Number, bool) {
	if n, ok := v.(json.Number); ok {
		return n, true
	}
	s, ok := v.(string)
	if !ok || len(s) > longestNumber {
		return "", false
	}
	s = strings.TrimSpace(s)
	_, ok = numberSyntax(s)
	return json.Number(s), ok
}

// compareNumbers compares numbers exactly, for example an id beyond 2^53, or 0.1 with 0.10. It
// compares very long numbers as floating point.
func compareNumbers(a, b json.Number) int {
	const longest = 100 // digits that are worth an exact comparison: its time grows with their square
	if a == b {
		return 0
	}
	if len(a) <= longest && len(b) <= longest {
		partsA, okA := numberSyntax(string(a))
		partsB, okB := numberSyntax(string(b))
		if okA && okB {
			x, fitsX := partsA.decimal()
			y, fitsY := partsB.decimal()
			if fitsX && fitsY {
				return x.compare(y)
			}
		}
	}
	return cmp.Compare(float(a), float(b))
}

// float returns the number as floating point, or an infinity if it is too large.
func float(n json.Number) float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}
