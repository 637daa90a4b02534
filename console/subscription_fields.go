package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// The form is generated from the declaration of a subscription. So it has every member, in the
// order and with the words of the API.

// fieldKind is how a member is typed.
type fieldKind string

const (
	fieldText   fieldKind = "text"
	fieldNumber fieldKind = "number"
	fieldChoice fieldKind = "choice" // of a few words
	fieldFlag   fieldKind = "flag"   // true or false
	fieldLines  fieldKind = "lines"  // a list, one entry per line
	fieldPairs  fieldKind = "pairs"  // "Name: value", one pair per line
	fieldArea   fieldKind = "area"   // a text of several lines
	fieldSecret fieldKind = "secret" // a text that is never shown
	fieldJSON   fieldKind = "json"   // a customer's document
	fieldObject fieldKind = "object" // a struct, as JSON
)

// formField is one member of a subscription in a form.
type formField struct {
	Path     string // the API's name: request.url
	Doc      string
	Kind     fieldKind
	Options  []string // of a choice
	Default  string
	Required bool
	Members  []formField // for an object: its possible members

	Value string
	Kept  bool // for a secret: one is stored, and stays unless another is given
	Fault string
}

// kept replaces a stored secret.
const kept = "••••"

// subscriptionFields returns the members that callers set, in the API's order. Those that are fixed
// at creation are only in the form of a new subscription.
func subscriptionFields(isNew bool) []formField {
	fields := fieldsOf(reflect.TypeFor[switchboard.Subscription](), "")
	if !isNew {
		return slices.DeleteFunc(fields, func(f formField) bool { return f.Path == "tenant" || f.Path == "profile" || f.Path == "use_case" })
	}
	after := slices.IndexFunc(fields, func(f formField) bool { return f.Path == "signature.prefix" })
	return slices.Insert(fields, after+1, formField{Path: "secret", Kind: fieldSecret, Doc: "A signing secret of your own. Left out, one is made. It is shown once, afterwards"})
}

func fieldsOf(t reflect.Type, prefix string) (fields []formField) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "version" || f.Tag.Get("readOnly") == "true" {
			continue
		}
		path := prefix + name
		if f.Type.Kind() == reflect.Struct {
			fields = append(fields, fieldsOf(f.Type, path+".")...)
			continue
		}
		fields = append(fields, fieldOf(path, options == "" && f.Tag.Get("required") != "false" && prefix != "rate_limit.", f))
	}
	return fields
}

func fieldOf(path string, required bool, f reflect.StructField) formField {
	field := formField{Path: path, Doc: f.Tag.Get("doc"), Required: required, Default: cmp.Or(f.Tag.Get("default"), f.Tag.Get("default_duration"))}
	if enum := f.Tag.Get("enum"); enum != "" {
		field.Kind, field.Options = fieldChoice, strings.Split(enum, ",")
		return field
	}
	switch f.Type {
	case reflect.TypeFor[switchboard.Secret]():
		field.Kind = fieldSecret
		return field
	case reflect.TypeFor[switchboard.Scheme]():
		field.Kind, field.Options = fieldChoice, schemes()
		return field
	case reflect.TypeFor[json.RawMessage]():
		field.Kind = fieldJSON
		return field
	case reflect.TypeFor[switchboard.Duration]():
		field.Kind = fieldText
		return field
	}
	switch f.Type.Kind() {
	case reflect.Pointer:
		field.Kind, field.Members = fieldObject, fieldsOf(f.Type.Elem(), "")
	case reflect.Slice:
		field.Kind = fieldLines
	case reflect.Map:
		field.Kind = fieldPairs
	case reflect.Bool:
		field.Kind = fieldFlag
	case reflect.Int, reflect.Float64:
		field.Kind = fieldNumber
	default:
		field.Kind = fieldText
		if path == "auth.certificate" {
			field.Kind = fieldArea
		}
	}
	return field
}

// schemes are the schemes for signing requests.
func schemes() []string { return []string{"standard", "standard-ed25519", "hmac-sha256-hex", "none"} }

// textsOf returns the members of a subscription in the form for typing, by their paths.
func textsOf(fields []formField, sub *client.Subscription) (map[string]string, error) {
	document, err := subscriptionJSON(sub)
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for _, f := range fields {
		texts[f.Path] = f.text(memberOf(document, f.Path))
	}
	return texts, nil
}

// subscriptionJSON returns a subscription as JSON, from which members are read by their paths.
func subscriptionJSON(sub *client.Subscription) (json.RawMessage, error) {
	return json.Marshal(sub) //nolint:gosec // it stays in this process: a secret's text is never shown
}

// memberOf returns a member of a JSON document by its path; nil: missing.
func memberOf(document json.RawMessage, path string) json.RawMessage {
	for name := range strings.SplitSeq(path, ".") {
		var members map[string]json.RawMessage
		if json.Unmarshal(document, &members) != nil {
			return nil
		}
		document = members[name]
	}
	return document
}

// text writes a member in the form for typing.
func (f *formField) text(value json.RawMessage) string {
	var text string
	switch f.Kind {
	case fieldSecret:
		return ""
	case fieldJSON, fieldObject:
		if len(value) == 0 || string(value) == "null" || string(value) == "{}" {
			return ""
		}
		var indented bytes.Buffer
		if json.Indent(&indented, value, "", "  ") != nil {
			return string(value)
		}
		return indented.String()
	case fieldLines:
		var lines []string
		_ = json.Unmarshal(value, &lines)
		return strings.Join(lines, "\n")
	case fieldPairs:
		var pairs map[string]string
		_ = json.Unmarshal(value, &pairs)
		for _, name := range slices.Sorted(maps.Keys(pairs)) {
			text += name + ": " + strings.ReplaceAll(pairs[name], switchboard.Mask, kept) + "\n"
		}
		return strings.TrimSuffix(text, "\n")
	}
	if json.Unmarshal(value, &text) != nil && string(value) != "null" {
		return string(value) // a number, or true or false
	}
	return text
}

// value returns the typed value as JSON; nil: nothing was typed. An error names the field.
func (f *formField) value(text string) (any, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	switch f.Kind {
	case fieldJSON, fieldObject:
		if !json.Valid([]byte(text)) {
			return nil, switchboard.InvalidField(f.Path, "is not JSON")
		}
		return json.RawMessage(text), nil
	case fieldLines:
		lines := []string{}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
		return lines, nil
	case fieldPairs:
		return f.pairs(text)
	case fieldNumber:
		if text = strings.TrimSpace(text); json.Valid([]byte(text)) {
			return json.RawMessage(text), nil
		}
	case fieldFlag:
		return text == "true", nil
	}
	return text, nil
}

func (f *formField) pairs(text string) (any, error) {
	pairs := map[string]any{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		name = strings.TrimSpace(name)
		switch _, twice := pairs[name]; {
		case !ok || name == "":
			return nil, switchboard.InvalidField(f.Path, "has a line that is not a name, a colon and a value: %s", line)
		case twice:
			return nil, switchboard.InvalidField(f.Path, "has %s twice", name)
		}
		pairs[name] = strings.ReplaceAll(strings.TrimSpace(value), kept, switchboard.Mask)
	}
	return pairs, nil
}
