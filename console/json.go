package console

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard/client"
)

// bodyLimit is how much of a body a page shows; the rest is a download. It keeps the browser's tab
// fast.
const bodyLimit = 64 << 10

// bodyView is a body on a page: its text, or what replaces it.
type bodyView struct {
	Bytes    int    // its whole length
	Text     string // its beginning
	Indented bool   // white space was added to the text, and nothing else
	Cut      bool   // it is longer than the text
	Binary   bool   // it is not text, and can only be downloaded

	Redacted *client.Redacted // the person may not read it
	Shape    string           // of redacted content, one line per value
	Download string           // address of the whole body; empty: none
}

// bodyOf returns a body from the API: text, or base64, or what replaces it.
func bodyOf(text, encoding string, redacted *client.Redacted, download string) bodyView {
	switch {
	case redacted != nil:
		return bodyView{Bytes: redacted.Bytes, Redacted: redacted, Shape: shapeText(redacted.Shape)}
	case encoding != "":
		return bodyView{Bytes: len(bytesOf(text, encoding)), Binary: true, Download: download}
	case text == "":
		return bodyView{}
	}
	v := bodyView{Bytes: len(text), Download: download}
	v.Text, v.Indented, v.Cut = headOf(text)
	return v
}

// bytesOf returns the bytes of a body from the API.
func bytesOf(text, encoding string) []byte {
	if encoding == "" {
		return []byte(text)
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return []byte(text)
	}
	return decoded
}

// shapeText describes JSON to people who may not read it.
func shapeText(parts []client.ShapePart) string {
	var out strings.Builder
	for _, part := range parts {
		path := part.Path
		if path == "" {
			path = "(all of it)"
		}
		out.WriteString(path + ": " + part.Type)
		if part.Length != nil {
			out.WriteString(", length " + count(*part.Length))
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// headOf returns the beginning of a body. JSON gets one line per value. Its numbers, names and
// escapes do not change.
func headOf(body string) (text string, indented, cut bool) {
	if !json.Valid([]byte(body)) {
		text = wholeRunes(body[:min(len(body), bodyLimit)])
		return text, false, len(text) < len(body)
	}
	head, whole := indentHead(body, bodyLimit)
	return wholeRunes(head), true, !whole
}

// indentHead indents a JSON document as json.Indent does, up to that many bytes, and reports
// whether that was everything. json.Indent has no limit: it turns a megabyte of nested arrays into
// gigabytes.
func indentHead(document string, limit int) (string, bool) {
	var out []byte
	depth, inString, escaped, opened := 0, false, false, false
	newline := func() {
		out = append(out, '\n')
		for range depth {
			out = append(out, "  "...)
		}
	}
	for i := range len(document) {
		if len(out) > limit {
			return string(out[:limit]), false
		}
		c := document[i]
		if inString {
			out = append(out, c)
			inString = escaped || c != '"'
			escaped = !escaped && c == '\\'
			continue
		}
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			continue
		}
		if opened && c != ']' && c != '}' {
			depth++
			newline()
			opened = false
		}
		switch c {
		case ']', '}':
			if !opened {
				depth--
				newline()
			}
			opened = false
			out = append(out, c)
		case ',':
			out = append(out, c)
			newline()
		case ':':
			out = append(out, ": "...)
		default:
			out = append(out, c)
			inString, opened = c == '"', c == '[' || c == '{'
		}
	}
	if len(out) > limit {
		return string(out[:limit]), false
	}
	return string(out), true
}

// wholeRunes removes the last character if the text was cut inside it.
func wholeRunes(text string) string {
	for back := 1; back < utf8.UTFMax && back <= len(text); back++ {
		if start := len(text) - back; utf8.RuneStart(text[start]) {
			if !utf8.FullRuneInString(text[start:]) {
				return text[:start]
			}
			break
		}
	}
	return text
}
