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

// fault is one value that a schema does not accept.
type fault struct {
	path []string // from the validated value to the one at fault
	kind jsonschema.ErrorKind
}

// explain makes one clear error out of the validator's tree of them; root is the
// field that holds the value.
func explain(root string, value any, err error) *switchboard.Error {
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return &switchboard.Error{Code: switchboard.CodeInvalid, Field: root, Message: "does not fit the schema", Err: err}
	}
	f := find(invalid)
	return switchboard.InvalidField(pathOf(root, value, f.path), "%s", say(f.kind))
}

// find picks the fault to report. Of several that hold together it is the first by
// path, so that the same data give the same error; of alternatives it is that of
// the one which the data come nearest to.
func find(e *jsonschema.ValidationError) fault {
	path := slices.Clone(e.InstanceLocation)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return fault{append(path, k.Missing[0]), k}
	case *kind.DependentRequired:
		return fault{append(path, k.Missing[0]), k}
	case *kind.AdditionalProperties:
		return fault{append(path, slices.Min(k.Properties)), k}
	case *kind.PropertyNames:
		return fault{append(path, k.Property), k}
	case *kind.Contains, *kind.MinContains:
		return fault{path, k}
	}
	if len(e.Causes) == 0 {
		return fault{path, e.ErrorKind}
	}
	faults := make([]fault, len(e.Causes))
	for i, cause := range e.Causes {
		faults[i] = find(cause)
	}
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return nearestFault(fault{path, e.ErrorKind}, faults)
	}
	return slices.MinFunc(faults, func(a, b fault) int {
		return cmp.Or(slices.Compare(a.path, b.path), cmp.Compare(say(a.kind), say(b.kind)))
	})
}

// nearestFault picks one of the faults of alternatives: the deepest, since that
// alternative fitted furthest, and rather not one about the type of the whole.
// Where that leaves several, the answer is about the alternatives themselves.
func nearestFault(all fault, faults []fault) fault {
	deepest := len(slices.MaxFunc(faults, func(a, b fault) int { return cmp.Compare(len(a.path), len(b.path)) }).path)
	faults = slices.DeleteFunc(faults, func(f fault) bool { return len(f.path) < deepest })
	var wanted []string
	others := slices.DeleteFunc(slices.Clone(faults), func(f fault) bool {
		t, isType := f.kind.(*kind.Type)
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
		return fault{all.path, &kind.Type{Got: faults[0].kind.(*kind.Type).Got, Want: slices.Compact(wanted)}}
	}
	return all
}

// maxShown bounds what an error shows of a schema or of data, in bytes.
const maxShown = 200

func short(s string) string { return switchboard.Clip(s, maxShown) }

// pathOf writes the way from root to a value within it: root.items[0].name.
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
