package console

import "unicode/utf8"

// reasonFault says what is wrong with a reason, which the console always requires; empty: nothing.
func reasonFault(reason string) string {
	const least, most = 3, 500
	switch n := utf8.RuneCountInString(reason); {
	case n < least:
		return "say why, in at least 3 letters: people who see the result read it"
	case n > most:
		return "is longer than 500 letters"
	}
	return ""
}
