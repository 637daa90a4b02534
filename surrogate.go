package switchboard

import (
	"bytes"
	"strconv"
)

// LoneSurrogateFound says in an error or a warning what [LoneSurrogate] found.
const LoneSurrogateFound = `holds half of a surrogate pair, as \ud83d alone, which is no character`

// LoneSurrogate reports whether a string in valid JSON escapes one half of a surrogate pair without
// the other. RFC 7493, 2.1, forbids it: encoding/json and many receivers read U+FFFD in its place,
// and others fail.
func LoneSurrogate(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return false
		}
		unit, escaped := surrogate(data[i:])
		if !escaped {
			data = data[i+2:] // an escape has at least one character
			continue
		}
		low, follows := surrogate(data[i+6:])
		if unit >= 0xDC00 || !follows || low < 0xDC00 {
			return true
		}
		data = data[i+12:]
	}
}

// surrogate returns the half of a pair at the beginning of the data, if they begin with one in an
// escape.
func surrogate(data []byte) (unit uint64, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return unit, err == nil && unit >= 0xD800 && unit <= 0xDFFF
}
