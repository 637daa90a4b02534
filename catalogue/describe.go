package catalogue

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// describe says what the schema expects, in a sentence with the field as its subject.
func describe(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + either(k.Want) + ", not " + either([]string{k.Got})
	case *kind.Required:
		return "is required"
	case *kind.DependentRequired:
		return fmt.Sprintf("is required where %s is given", short(k.Prop))
	case *kind.AdditionalProperties, *kind.FalseSchema:
		return "is not allowed here"
	case *kind.PropertyNames:
		return "has a name that is not allowed here"
	case *kind.Const:
		return "must be " + shown(k.Want)
	case *kind.Enum:
		return "must be one of " + shown(k.Want)
	case *kind.Pattern:
		return "must match " + short(k.Want)
	case *kind.Format: // only in schemas: their patterns are compiled with our engine
		return fmt.Sprintf("cannot be used as %s: %s", k.Want, short(k.Err.Error()))
	case *kind.Not:
		return "is what the schema rules out"
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.Minimum:
		return "must be at least " + decimal(k.Want)
	case *kind.Maximum:
		return "must be at most " + decimal(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + decimal(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + decimal(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + decimal(k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d elements", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d elements", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("holds the same element twice, at %d and %d", k.Duplicates[0], k.Duplicates[1])
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d members", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d members", k.Want)
	case *kind.AnyOf:
		return "fits none of the alternatives of the schema"
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return "fits more than one of the alternatives of the schema"
		}
		return "fits none of the alternatives of the schema"
	}
	keyword := "schema"
	if k != nil && len(k.KeywordPath()) > 0 {
		keyword = strings.Join(k.KeywordPath(), ".")
	}
	return "does not fit the schema's " + keyword
}

// either lists types with their articles: "a string or null".
func either(types []string) string {
	words := make([]string, len(types))
	for i, t := range types {
		switch t {
		case "null":
			words[i] = t
		case "integer", "object", "array":
			words[i] = "an " + t
		default:
			words[i] = "a " + t
		}
	}
	return strings.Join(words, " or ")
}

// shown writes a value of a schema as JSON.
func shown(value any) string {
	text, err := json.Marshal(value)
	if err != nil { // impossible: it came from JSON
		return "another value"
	}
	return short(string(text))
}

func decimal(r *big.Rat) string {
	if r.IsInt() {
		return short(r.Num().String())
	}
	f, _ := r.Float64()
	return fmt.Sprintf("%g", f)
}
