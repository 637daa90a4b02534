package switchboard

import "testing"

func TestClip(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{"abcde", "abcde"},
		{"abcdef", "abcde…"},
		{"abcdé", "abcd…"},
		{"ab票票", "ab票…"},
		{"abc票票", "abc…"},
		{"\x80\x80\x80\x80\x80\x80", "…"},
	} {
		if got := Clip(test.text, 5); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}

func TestHoldsTemplate(t *testing.T) {
	t.Parallel()
	if !HoldsTemplate("a {{ b") || !HoldsTemplate("{% x %}") || HoldsTemplate("{ { } a { %") {
		t.Error("a template is text with {{ or {% in it")
	}
}
