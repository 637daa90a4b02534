package switchboard

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

// IsXMLName reports whether s may be the name of an XML element or attribute: a letter or _,
// then letters, digits, . - _ and combining marks. A name has no namespace prefix, and xmlns
// is not a name, because it declares a namespace.
//
// Only the letters that all editions of XML 1.0 have are allowed. The fifth edition has more,
// but the parsers of .NET, Xerces, expat and Go implement the fourth and refuse the document.
func IsXMLName(s string) bool {
	return s != "" && len(s) <= maxFieldName && s != "xmlns" && areXMLNameChars(s)
}

func areXMLNameChars(s string) bool {
	for i, c := range s {
		if c >= utf8.RuneSelf {
			return areNameChars(s)
		}
		if !isASCIINameChar(c, i == 0) {
			return false
		}
	}
	return true
}

// areNameChars asks a parser, which has the long table of letters. The comparison finds texts
// that the parser splits into a name and something else.
func areNameChars(s string) bool {
	token, err := xml.NewDecoder(strings.NewReader("<" + s + "/>")).Token()
	element, ok := token.(xml.StartElement)
	return err == nil && ok && element.Name.Local == s && element.Name.Space == "" && len(element.Attr) == 0 && !strings.Contains(s, ":")
}

func isASCIINameChar(c rune, first bool) bool {
	switch {
	case c == '_', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return true
	case c == '.', c == '-', c >= '0' && c <= '9':
		return !first
	}
	return false
}

func isXMLNameChar(c rune, first bool) bool {
	switch {
	case c < utf8.RuneSelf:
		return isASCIINameChar(c, first)
	case first:
		return areNameChars(string(c))
	}
	return areNameChars("_" + string(c))
}

// EscapeXMLName turns any text into a name of XML. A character that is not allowed is written
// as _x0020_, with its hexadecimal number, as .NET's XmlConvert does with local names and
// SQL/XML with identifiers. An _ that begins such a sequence is written as _x005F_, so that
// two texts never become one name. The empty text is _x_.
func EscapeXMLName(s string) string {
	switch s {
	case "":
		return "_x_"
	case "_x_":
		return "_x005F_x_"
	case "xmlns":
		return "_x0078_mlns" // unescaped, it would declare a namespace
	}
	if areXMLNameChars(s) && !strings.Contains(s, "_x") && !strings.Contains(s, "_X") {
		return s
	}
	var b strings.Builder
	for i, c := range s {
		switch {
		case !isXMLNameChar(c, i == 0) && c > 0xFFFF:
			fmt.Fprintf(&b, "_x%08X_", c)
		case !isXMLNameChar(c, i == 0) || c == '_' && beginsEscape(s[i+1:]):
			fmt.Fprintf(&b, "_x%04X_", c)
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}

// beginsEscape reports whether the rest after an _ turns it into an escape: x, four or eight
// digits, and a character that is an _ or is escaped with one.
func beginsEscape(rest string) bool {
	if rest == "" || rest[0] != 'x' && rest[0] != 'X' {
		return false
	}
	digits := 0
	for digits < 8 && 1+digits < len(rest) && isHex(rest[1+digits]) {
		digits++
	}
	for _, n := range []int{4, 8} {
		if digits < n || len(rest) == 1+n {
			continue
		}
		if next, _ := utf8.DecodeRuneInString(rest[1+n:]); next == '_' || !isXMLNameChar(next, false) {
			return true
		}
	}
	return false
}
