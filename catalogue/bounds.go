package catalogue

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// A validation cannot be stopped, so its cost is limited in advance. With references followed, a
// schema is a tree of at most maxParts values, and no value of the data is visited more often than
// that. [MaxSteps] limits the product. A schema that refers to itself would have no such limit,
// because two references to itself double the work at each level of the data. Such schemas are
// refused, as in Kubernetes.
const (
	maxParts = 5000
	maxDepth = 100 // of the document, without following references
)

// checkBounds refuses a schema that is too expensive, or that refers to anything outside itself.
func checkBounds(document any) error {
	if err := checkNumbers("schema", document); err != nil {
		return err
	}
	if object, ok := document.(map[string]any); ok {
		if s, ok := object["$schema"].(string); ok && strings.TrimSuffix(s, "#") != dialect {
			return switchboard.InvalidField("schema.$schema", "must be %s", dialect)
		}
	}
	m := measure{document: document, parts: map[string]int{}}
	_, err := m.size(document, 0)
	return err
}

// measure counts the parts of a schema's tree.
type measure struct {
	document any
	parts    map[string]int // size of each reference's target, or measuring
}

const measuring = -1 // the size is not known yet

func (m *measure) size(part any, depth int) (int, error) {
	if depth > maxDepth {
		return 0, switchboard.InvalidField("schema", "is nested more than %d deep", maxDepth)
	}
	total := 1
	add := func(size int, err error) error {
		if total += size; err == nil && total > maxParts {
			return switchboard.InvalidField("schema", "has more than %d parts, with its references followed", maxParts)
		}
		return err
	}
	switch part := part.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(part)) { // sorted, so that the same schema gives the same error
			if err := checkKeyword(name, part[name], depth); err != nil {
				return 0, err
			}
			if err := add(m.size(part[name], depth+1)); err != nil {
				return 0, err
			}
		}
		if ref, ok := part["$ref"].(string); ok {
			if err := add(m.follow(ref)); err != nil {
				return 0, err
			}
		}
	case []any:
		for _, value := range part {
			if err := add(m.size(value, depth+1)); err != nil {
				return 0, err
			}
		}
	}
	return total, nil
}

// checkKeyword refuses keywords by which a reference can point outside this document. If a property
// has one of these names, its value is not a string.
func checkKeyword(name string, value any, depth int) error {
	if _, ok := value.(string); !ok {
		return nil
	}
	switch name {
	case "$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor":
		return switchboard.InvalidField("schema", "%s may not be used: refer to a part of the schema by \"$ref\": \"#/$defs/…\"", name)
	case "$id":
		if depth > 0 {
			return switchboard.InvalidField("schema", "$id may stand at the top only")
		}
	}
	return nil
}

// follow measures the target of a reference.
func (m *measure) follow(ref string) (int, error) {
	size, known := m.parts[ref]
	switch {
	case size == measuring:
		return 0, switchboard.InvalidField("schema", "$ref %q refers to a part that holds it", short(ref))
	case known:
		return size, nil
	}
	target, found := m.resolve(ref)
	if !found {
		return 0, switchboard.InvalidField("schema", "$ref %q is not a part of the schema, as #/$defs/name is", short(ref))
	}
	m.parts[ref] = measuring
	size, err := m.size(target, 1)
	m.parts[ref] = size
	return size, err
}

// resolve finds the target of a JSON pointer in a URL's fragment (RFC 6901 §6).
func (m *measure) resolve(ref string) (any, bool) {
	fragment, local := strings.CutPrefix(ref, "#")
	pointer, err := url.PathUnescape(fragment)
	if !local || err != nil || pointer != "" && pointer[0] != '/' {
		return nil, false
	}
	part := m.document
	for _, token := range strings.Split(pointer, "/")[1:] {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		switch parent := part.(type) {
		case map[string]any:
			child, ok := parent[token]
			if !ok {
				return nil, false
			}
			part = child
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(parent) {
				return nil, false
			}
			part = parent[i]
		default:
			return nil, false
		}
	}
	return part, true
}

// Limits of a number. The validator calculates with fractions of any size, and takes seconds for
// 1e999999.
const (
	maxDigits   = 1000
	maxExponent = 1000
)

// checkNumbers refuses a value that contains a number that is too expensive to check.
func checkNumbers(field string, value any) error {
	if tokens, found := hugeNumber(value); found {
		return switchboard.InvalidField(pathOf(field, value, tokens), "is a number of more than %d digits, or with an exponent beyond %d", maxDigits, maxExponent)
	}
	return nil
}

// hugeNumber returns the path from the value to a number beyond the limits.
func hugeNumber(value any) (tokens []string, found bool) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if tokens, found := hugeNumber(member); found {
				return append([]string{name}, tokens...), true
			}
		}
	case []any:
		for i, member := range value {
			if tokens, found := hugeNumber(member); found {
				return append([]string{strconv.Itoa(i)}, tokens...), true
			}
		}
	case json.Number:
		return nil, isHuge(value.String())
	}
	return nil, false
}

func isHuge(number string) bool {
	if len(number) > maxDigits {
		return true
	}
	e := strings.IndexAny(number, "eE")
	if e < 0 {
		return false
	}
	exponent, err := strconv.Atoi(number[e+1:])
	return err != nil || exponent > maxExponent || exponent < -maxExponent
}
