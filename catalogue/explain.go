package catalogue

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/seed-49a43567/switchboard"
)

// violation is one value that a schema does not accept.
type violation struct {
	path []string // from the validated value to the unaccepted one
	kind jsonschema.ErrorKind
}

// explain turns the validator's tree of errors into one clear error. root is the field of the
// validated value.
func explain(root string, value any, err error) *switchboard.Error {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return &switchboard.Error{Code: switchboard.CodeInvalid, Field: root, Message: "does not fit the schema", Err: err}
	}
	v := find(invalid)
	return switchboard.InvalidField(pathOf(root, value, v.path), "%s", describe(v.kind))
}

// find chooses the violation to report. Of several, it is the first by path, so that the same data
// always give the same error. Of several alternatives, it is that of the closest alternative.
func find(e *jsonschema.ValidationError) violation {
	path := slices.Clone(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return violation{append(path, k.Missing[0]), k}
	case *kind.DependentRequired:
		return violation{append(path, k.Missing[0]), k}
	case *kind.AdditionalProperties:
		return violation{append(path, slices.Min(k.Properties)), k}
	case *kind.PropertyNames:
		return violation{append(path, k.Property), k}
	case *kind.Contains, *kind.MinContains:
		return violation{path, k}
	}
	if len(e.Causes) == 0 {
		return violation{path, e.ErrorKind}
	}
	violations := make([]violation, len(e.Causes))
	for i, cause := range e.Causes {
		violations[i] = find(cause)
	}
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return closest(violation{path, e.ErrorKind}, violations)
	}
	return slices.MinFunc(violations, func(a, b violation) int {
		return cmp.Or(slices.Compare(a.path, b.path), cmp.Compare(describe(a.kind), describe(b.kind)))
	})
}

// closest chooses one of the violations of several alternatives. It prefers the deepest, because
// its alternative matched furthest, and chooses one about a type only if there is no other. If
// several remain, the result is about the alternatives themselves.
func closest(all violation, violations []violation) violation {
	deepest := len(slices.MaxFunc(violations, func(a, b violation) int { return cmp.Compare(len(a.path), len(b.path)) }).path)
	violations = slices.DeleteFunc(violations, func(v violation) bool { return len(v.path) < deepest })
	var wanted []string
	others := slices.DeleteFunc(slices.Clone(violations), func(v violation) bool {
		t, isType := v.kind.(*kind.Type)
		if isType {
			wanted = append(wanted, t.Want...)
		}
		return isType
	})
	switch {
	case len(others) == 1:
		return others[0]
	case len(others) == 0 && deepest == len(all.path):
		slices.Sort(wanted)
		return violation{all.path, &kind.Type{Got: violations[0].kind.(*kind.Type).Got, Want: slices.Compact(wanted)}}
	}
	return all
}

// maxShown limits how much of a schema or of data an error shows, in bytes.
const maxShown = 200

func short(s string) string { return switchboard.Clip(s, maxShown) }

// pathOf writes the path from root to a value within it: root.items[0].name.
func pathOf(root string, value any, tokens []string) string {
	var b strings.Builder
	b.WriteString(root)
	for _, token := range tokens {
		switch parent := value.(type) {
		case []any:
			b.WriteString("[" + token + "]")
			if i, err := strconv.Atoi(token); err == nil && i < len(parent) {
				value = parent[i]
			}
		case map[string]any:
			b.WriteString("." + token)
			value = parent[token]
		}
	}
	return short(b.String())
}
