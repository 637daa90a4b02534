package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seed-49a43567/switchboard"
)

// dialect is the only version of JSON Schema that schemas may use.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// maxInstructions limits a compiled regular expression: matching takes at most this many steps for
// each character. [a-z]{36} has about 40.
const maxInstructions = 2000

// compile checks and compiles a schema. Errors name the field "schema" or a part of it.
func compile(raw json.RawMessage) (*jsonschema.Schema, error) {
	if len(raw) > MaxSchema {
		return nil, tooLarge("schema", len(raw), MaxSchema)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, switchboard.InvalidField("schema", "is not a JSON value")
	}
	if err := checkBounds(document); err != nil {
		return nil, err
	}

	const location = "switchboard:///schema" // never fetched
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nil) // a schema reads neither files nor URLs
	compiler.UseRegexpEngine(compileRegexp)
	if err := compiler.AddResource(location, document); err != nil {
		return nil, switchboard.InvalidField("schema", "does not compile: %s", short(err.Error()))
	}
	schema, err := compiler.Compile(location)
	if err != nil {
		return nil, explainSchema(document, err)
	}
	return schema, nil
}

func explainSchema(document any, err error) error {
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		return explain("schema", document, invalid.Err)
	}
	return switchboard.InvalidField("schema", "does not compile: %s", short(err.Error()))
}

// compileRegexp compiles a pattern to Go's engine, which never backtracks.
func compileRegexp(text string) (jsonschema.Regexp, error) {
	compiled, instructions, err := switchboard.CompileRegexp(text)
	if err != nil {
		return nil, err
	}
	if instructions > maxInstructions {
		return nil, fmt.Errorf("it has %d steps; the limit is %d", instructions, maxInstructions)
	}
	return pattern{compiled, instructions}, nil
}
