package liquid

import (
	"encoding/json"
	"errors"
	"math/big"
	"strconv"
	"strings"
)

// parameter checks an argument that is written in the template. Its error means that the filter can
// never work, whatever the event contains. If the argument comes from the event, the filter accepts
// what it can.
type parameter func(literal any) error

// anything accepts every argument.
func anything(any) error { return nil }

// aNumber accepts a number, text that is a number, and nil, which counts as 0.
func aNumber(literal any) error {
	if _, ok := numericText(literal); !ok && literal != nil {
		return errors.New("which is not a number")
	}
	return nil
}

// aDivisor accepts a number that is not zero.
func aDivisor(literal any) error {
	if err := aNumber(literal); err != nil {
		return err
	}
	parts, _ := numericText(literal)
	if strings.Trim(parts.whole+parts.fraction, "0") == "" {
		return errors.New("and cannot divide by zero")
	}
	return nil
}

// aWhole accepts a whole number, or text that is one.
func aWhole(literal any) error {
	if parts, ok := numericText(literal); !ok || parts.fraction != "" || parts.exponent != "" {
		return errors.New("which is not a whole number")
	}
	return nil
}

// aPlace accepts a number of digits to round to.
func aPlace(literal any) error {
	if err := aWhole(literal); err != nil {
		return err
	}
	if digits, err := strconv.Atoi(strings.TrimSpace(textOf(literal))); err != nil || digits < -maxRound || digits > maxRound {
		return errors.New("which is not a number of digits from -100 to 100")
	}
	return nil
}

// aFormat accepts a format of strftime.
func aFormat(literal any) error { return checkFormat(textOf(literal)) }

// whole returns that argument as a whole number, without its fraction. It returns absent if there
// is no such argument, or if it is not a number.
func (a *application) whole(place, absent int) int {
	const most = 1 << 30
	if place >= len(a.args) {
		return absent
	}
	parts, ok := numericText(a.args[place])
	if !ok {
		a.notice("takes %s for %d: it is no number", quoted(a.args[place]), absent)
		return absent
	}
	d, fits := parts.decimal()
	if !fits {
		return absent
	}
	n := new(big.Int).Quo(d.n, powerOf10(d.scale))
	if !n.IsInt64() {
		return most * n.Sign()
	}
	return int(max(-most, min(n.Int64(), most)))
}

// quoted returns the value as messages show it.
func quoted(v any) string {
	switch v := v.(type) {
	case nil:
		return "nil"
	case string:
		return strconv.Quote(head(v))
	case json.Number:
		return head(string(v))
	case bool:
		return strconv.FormatBool(v)
	case special:
		return string(v)
	case []any:
		return "an array"
	}
	return "an object"
}
