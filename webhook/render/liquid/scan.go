package liquid

import (
	"fmt"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// kind is the kind of a piece.
type kind int

const (
	plain       kind = iota // literal text
	placeholder             // {{ … }}
	tag                     // {% … %}
)

// piece is a part of a template. Its text is without the braces.
type piece struct {
	kind kind
	text string
}

// split cuts a template into its pieces. A dash inside the braces, as in {{- x -}}, removes
// the white space on that side.
func split(source string) ([]piece, error) {
	var pieces []piece
	trimNext := false
	text := func(s string, trimEnd bool) {
		if trimNext {
			s = strings.TrimLeft(s, " \t\r\n")
		}
		if trimEnd {
			s = strings.TrimRight(s, " \t\r\n")
		}
		if trimNext = false; s != "" {
			pieces = append(pieces, piece{plain, s})
		}
	}
	for {
		at, what := opening(source)
		if what == plain {
			text(source, false)
			return pieces, nil
		}
		inner, length, err := inside(source[at:], what)
		if err != nil {
			return nil, err
		}
		inner, trimBefore := strings.CutPrefix(inner, "-")
		text(source[:at], trimBefore)
		inner, trimNext = strings.CutSuffix(inner, "-")
		pieces = append(pieces, piece{what, strings.TrimSpace(inner)})
		source = source[at+length:]
	}
}

// opening finds the first {{ or {%; if there is none, the kind is plain.
func opening(source string) (int, kind) {
	for at := 0; ; at++ {
		next := strings.IndexByte(source[at:], '{')
		if next < 0 || at+next+1 >= len(source) {
			return 0, plain
		}
		at += next
		switch source[at+1] {
		case '{':
			return at, placeholder
		case '%':
			return at, tag
		}
	}
}

// Cut cuts a template at the first sep that is outside of placeholders and tags.
func Cut(source string, sep byte) (before, after string, found bool) {
	for at := 0; ; {
		next, what := opening(source[at:])
		end := at + next
		if what == plain {
			end = len(source)
		}
		if i := strings.IndexByte(source[at:end], sep); i >= 0 {
			return source[:at+i], source[at+i+1:], true
		}
		if what == plain {
			return source, "", false
		}
		_, length, err := inside(source[end:], what)
		if err != nil {
			return source, "", false
		}
		at = end + length
	}
}

// inside returns the text between the braces that s begins with, and the length including the
// braces. Braces inside a quoted string do not count.
func inside(s string, what kind) (inner string, length int, err error) {
	closing := "}}"
	if what == tag {
		closing = "%}"
	}
	var quote byte
	for at := 2; at < len(s); at++ {
		switch c := s[at]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case strings.HasPrefix(s[at:], closing):
			return s[2:at], at + 2, nil
		}
	}
	return "", 0, fmt.Errorf("%q is not closed by %s", head(s), closing)
}

// head returns the beginning of a text, for people.
func head(s string) string { return switchboard.Clip(s, 40) }
