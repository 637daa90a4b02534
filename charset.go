package switchboard

import "strings"

// IsUTF8 reports whether the charset parameter of a media type says what Switchboard
// reads and writes, which is UTF-8; empty: there is none. US-ASCII is a part of it, and
// utf8 is what the Encoding Standard of the WHATWG lists as another spelling.
func IsUTF8(charset string) bool {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii":
		return true
	}
	return false
}
