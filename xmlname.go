package switchboard

import (
	"encoding/xml"
	"fmt"
	"strings"
	"unicode/utf8"
)

// IsXMLName reports whether s may be the name of an XML element or attribute: a letter
// or _ first, then letters, digits, and . - _ and combining marks too. Prefixes of
// namespaces are none, and xmlns declares one.
//
// The letters are those of all editions of XML 1.0. The fifth has more, but the parsers of
// .NET, Xerces, expat and Go keep to the fourth and refuse the whole document.
func IsXMLName(s string) bool {
	return s != "" && len(s) <= maxFieldName && s != "xmlns" && areXMLNameChars(s)
}

func areXMLNameChars(s string) bool {
	for i, c := range s {
		if c >= utf8.RuneSelf {
			return areNameChars(s) // which letters, is a long table
		}
		if !isASCIINameChar(c, i == 0) {
			return false
		}
	}
	return true
}

// areNameChars asks a parser. It does not see where a name ends in which something else
// begins, hence the comparison.
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

// EscapeXMLName makes a name of XML out of any text: what may not stand in one is written
// as _x0020_, by the hexadecimal number of the character, as .NET's XmlConvert does with
// local names, and SQL/XML with identifiers. An _ that begins such a sequence is written
// as _x005F_, so that two texts never become one name. The empty text is _x_.
func EscapeXMLName(s string) string {
	switch s {
	case "":
		return "_x_"
	case "_x_":
		return "_x005F_x_"
	case "xmlns":
		return "_x0078_mlns" // as it stands it would declare a namespace
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

// beginsEscape reports whether what follows an _ makes an escape of it: x, four or eight
// digits, and what is an _ or is written with one.
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
