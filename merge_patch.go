package switchboard

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// MergePatch changes a JSON document as RFC 7396 says: members of the patch replace those of the
// document, objects are merged member by member, and null removes. Both are valid JSON. Members at
// the paths in whole, such as "request.params", are documents of their own, in which null is a
// value: a patch replaces them completely.
func MergePatch(document, patch json.RawMessage, whole ...string) json.RawMessage {
	return mergePatch(document, patch, "", whole)
}

func mergePatch(document, patch json.RawMessage, path string, whole []string) json.RawMessage {
	var members, changes map[string]json.RawMessage
	if !isObject(patch) || json.Unmarshal(patch, &changes) != nil {
		return patch
	}
	if !isObject(document) || json.Unmarshal(document, &members) != nil {
		members = map[string]json.RawMessage{}
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		at := strings.TrimPrefix(path+"."+name, ".")
		switch change := changes[name]; {
		case string(bytes.TrimSpace(change)) == "null":
			delete(members, name)
		case slices.Contains(whole, at):
			members[name] = change
		default:
			members[name] = mergePatch(members[name], change, at, whole)
		}
	}
	var merged bytes.Buffer
	encoder := json.NewEncoder(&merged)
	encoder.SetEscapeHTML(false) // unchanged text must stay as it was written
	_ = encoder.Encode(members)  // valid JSON by its names
	return bytes.TrimSpace(merged.Bytes())
}

func isObject(value json.RawMessage) bool {
	return bytes.HasPrefix(bytes.TrimLeft(value, " \t\r\n"), []byte("{"))
}
