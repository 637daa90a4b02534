package switchboard

import (
	"strings"
	"unicode/utf8"
)

// LongerThan reports whether the text has more than that many characters. They are Unicode
// code points, as in maxLength of JSON Schema (validation, 6.3.1), of at most four bytes each.
func LongerThan(text string, characters int) bool {
	return len(text) > characters && utf8.RuneCountInString(text) > characters
}

// Clip shortens a text to at most that many bytes, followed by an ellipsis. It cuts between
// two characters.
func Clip(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	end := longest
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// IsControl reports whether the character is one of the control characters of ASCII.
func IsControl(r rune) bool { return r < 0x20 || r == 0x7f }

// IsPrintableASCII reports whether the text is printable ASCII; spaces count.
func IsPrintableASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// JoinWords lists words for an error: a, b, c.
func JoinWords[T ~string](words []T) string {
	text := make([]string, len(words))
	for i, w := range words {
		text[i] = string(w)
	}
	return strings.Join(text, ", ")
}
