package switchboard

import "strings"

// IsUTF8 reports whether the charset parameter of a media type means UTF-8, which Switchboard
// reads and writes; empty means no parameter. US-ASCII is a subset of UTF-8, and the WHATWG's
// Encoding Standard lists utf8 as another spelling.
func IsUTF8(charset string) bool {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii":
		return true
	}
	return false
}
