package api

import (
	"bytes"
	"strconv"
)

const halfPairFound = `holds half of a surrogate pair, as \ud83d alone, which is no character`

// dataWarnings says what an event's data hold that not every receiver can read. They are
// accepted all the same: RFC 8259, 8.2, lets JSON hold half of a pair, programs that cut
// a text in the middle of an emoji write one, and to refuse the event would lose it.
func dataWarnings(data []byte) []string {
	if !halfPair(data) {
		return nil
	}
	return []string{"data: " + halfPairFound + "; filters and templates read U+FFFD in its place"}
}

// halfPair reports whether a string in valid JSON escapes one half of a surrogate pair
// without the other. RFC 7493, 2.1, forbids it: encoding/json reads U+FFFD in its place,
// as do many receivers, and others fail.
func halfPair(data []byte) bool {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 {
			return false
		}
		unit, escaped := surrogate(data[i:])
		if !escaped {
			data = data[i+2:] // an escape has a character at least
			continue
		}
		low, follows := surrogate(data[i+6:])
		if unit >= 0xDC00 || !follows || low < 0xDC00 {
			return true
		}
		data = data[i+12:]
	}
}

// surrogate is the half of a pair that the data begin with, as an escape.
func surrogate(data []byte) (unit uint64, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(data[2:6]), 16, 16)
	return unit, err == nil && unit >= 0xD800 && unit <= 0xDFFF
}
