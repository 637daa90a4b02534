package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxInput is the maximum length of a file that is read. It is longer than any body that the API
// accepts.
const maxInput = 64 << 20

// timeFlag is a time in a form that people write.
type timeFlag struct{ time.Time }

// UnmarshalText parses a time: RFC 3339, or in UTC without the zone, the seconds, or the hour, or
// 15:04 of today.
func (t *timeFlag) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.Parse(layout, string(text)); err == nil {
			t.Time = at
			return nil
		}
	}
	if at, err := time.Parse("15:04", string(text)); err == nil {
		year, month, day := time.Now().UTC().Date()
		t.Time = time.Date(year, month, day, at.Hour(), at.Minute(), 0, 0, time.UTC)
		return nil
	}
	return errors.New(`must be a time such as 2026-01-31T12:00:00Z, or in UTC "2026-01-31 12:00", or 12:00 for today`)
}

// read returns the given text, or the content of the file that it names: @file, or - for standard
// input.
func (s *Session) read(given string) ([]byte, error) {
	name, isFile := strings.CutPrefix(given, "@")
	if given != "-" && !isFile {
		return []byte(given), nil
	}
	if given == "-" || name == "-" {
		return readAll(s.In, "standard input")
	}
	file, err := os.Open(name) // #nosec G304 -- the user's own file
	if err != nil {
		return nil, usage("%v", err)
	}
	defer file.Close()
	return readAll(file, name)
}

func readAll(from io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxInput+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxInput {
		return nil, usage("%s is longer than %d bytes", name, maxInput)
	}
	return text, nil
}

// readJSON reads a given JSON value, or a named file. It does not change the bytes.
func (s *Session) readJSON(flag, given string) (json.RawMessage, error) {
	text, err := s.read(given)
	if err != nil {
		return nil, err
	}
	if !json.Valid(text) {
		return nil, usage("%s is not JSON: give a value, @file, or - for standard input", flag)
	}
	return text, nil
}

// readDocument reads a JSON or YAML document, which must be an object.
func (s *Session) readDocument(flag, given string) (json.RawMessage, error) {
	text, err := s.read("@" + strings.TrimPrefix(given, "@"))
	if err != nil {
		return nil, err
	}
	if !json.Valid(text) {
		var document map[string]any
		if err := yaml.Unmarshal(text, &document); err != nil {
			return nil, usage("%s is neither JSON nor YAML: %v", flag, err)
		}
		if text, err = json.Marshal(document); err != nil {
			return nil, usage("%s cannot be written as JSON: %v", flag, err)
		}
	}
	if trimmed := strings.TrimSpace(string(text)); !strings.HasPrefix(trimmed, "{") {
		return nil, usage("%s must be an object", flag)
	}
	return text, nil
}

// setMembers sets members of an object. Each is path=value, such as request.timeout=20s. A value
// that is not JSON is a string.
func setMembers(document json.RawMessage, members []string) (json.RawMessage, error) {
	for _, member := range members {
		path, text, ok := strings.Cut(member, "=")
		if !ok || path == "" {
			return nil, usage("--set %s: must be member=value, as max_in_flight=4", member)
		}
		value := json.RawMessage(text)
		if !json.Valid(value) {
			value, _ = json.Marshal(text) // a string can always be encoded
		}
		document = setMember(document, strings.Split(path, "."), value)
	}
	return document, nil
}

func setMember(document json.RawMessage, path []string, value json.RawMessage) json.RawMessage {
	members := map[string]json.RawMessage{}
	_ = json.Unmarshal(document, &members) // anything but an object is replaced by one
	if len(path) > 1 {
		value = setMember(members[path[0]], path[1:], value)
	}
	if members == nil { // the document is null
		members = map[string]json.RawMessage{}
	}
	members[path[0]] = value         //nolint:gosec // a path has at least one part
	text, _ := json.Marshal(members) // all are valid JSON
	return text
}
