package liquid

import (
	"unicode"
	"unicode/utf8"
)

// nameEnd returns the length of the name that s begins with.
func nameEnd(s string) int {
	for i, c := range s {
		if !isNameRune(c) {
			return i
		}
	}
	return len(s)
}

// isNameRune reports whether a name may hold the rune. It allows XID_Continue of Unicode's annex
// 31, which covers names of any script, with their vowel signs and points and with accents in every
// encoding; the joiners of its section 2.3, which Persian and the scripts of India use inside
// words; and the dash.
func isNameRune(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	if r < utf8.RuneSelf {
		return r == '_' || r == '-' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	return r != utf8.RuneError && (r == nonJoiner || r == joiner ||
		unicode.In(r, unicode.L, unicode.Nl, unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, unicode.Other_ID_Start, unicode.Other_ID_Continue) &&
			!unicode.In(r, unicode.Pattern_Syntax, unicode.Pattern_White_Space))
}
