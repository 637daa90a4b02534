package switchboard

import "testing"

func TestHoldsTemplate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"a {{ b":      true,
		"{% x %}":     true,
		"{ { } a { %": false,
		"":            false,
	} {
		if got := HoldsTemplate(text); got != want {
			t.Errorf("%q: %t; want %t", text, got, want)
		}
	}
}
