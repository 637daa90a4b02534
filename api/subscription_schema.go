package api

import (
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/filter"
	"github.com/seed-49a43567/switchboard/signing"
)

// schemaUse says for what the schema of a subscription, or of a part of it, is derived. All uses
// have one declaration: [switchboard.Subscription].
type schemaUse struct {
	suffix   string   // of the names of the parts
	required []string // nil: as declared
	change   bool     // nothing has a default, and null removes a member
	answer   bool     // it includes read-only members, and members with a default are always present
}

// TransformSchema makes the schema of a new subscription, which has no read-only members.
func (newSubscription) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	return schemaUse{suffix: "Input"}.derive(r, reflect.TypeFor[newSubscription](), s)
}

// TransformSchema makes the schema of a change, which only requires the version.
func (subscriptionPatch) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	return schemaUse{suffix: "Change", change: true, required: []string{"version"}}.derive(r, reflect.TypeFor[subscriptionPatch](), s)
}

// TransformSchema makes the schema of a subscription that is previewed, which requires the request.
func (previewed) TransformSchema(r huma.Registry, _ *huma.Schema) *huma.Schema {
	return newSubscriptionWhich(r, "request")
}

// TransformSchema makes the schema of a subscription that is matched, which requires nothing.
func (matched) TransformSchema(r huma.Registry, _ *huma.Schema) *huma.Schema {
	return newSubscriptionWhich(r)
}

// newSubscriptionWhich returns the schema of a new subscription that only requires those members.
func newSubscriptionWhich(r huma.Registry, required ...string) *huma.Schema {
	s := *huma.SchemaFromType(r, reflect.TypeFor[newSubscription]())
	s.Required = required
	return &s
}

// TransformSchema makes the schema of answers.
func (subscription) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	return schemaUse{answer: true}.derive(r, reflect.TypeFor[subscription](), s)
}

// derive makes the schema of a type for the use from the schema that huma makes from its tags. It
// adds the schemas of its parts to the registry under separate names.
func (u schemaUse) derive(r huma.Registry, t reflect.Type, base *huma.Schema) *huma.Schema {
	derived := *base
	derived.Properties, derived.Required = map[string]*huma.Schema{}, slices.Clone(u.required)
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		property := base.Properties[name]
		if property == nil || f.Anonymous || !u.answer && f.Tag.Get("readOnly") == "true" {
			continue
		}
		one := *property
		derived.Properties[name] = &one
		needed := slices.Contains(base.Required, name)
		if u.required == nil && (needed || u.answer && f.Tag.Get("always")+f.Tag.Get("default")+f.Tag.Get("default_duration") != "") {
			derived.Required = append(derived.Required, name)
		}
		if f.Type == reflect.TypeFor[switchboard.Scheme]() { // package signing has the schemes
			one.Enum, one.Description = nil, signing.Words()
			for _, scheme := range signing.Schemes() {
				one.Enum = append(one.Enum, string(scheme))
			}
		}
		if name == "filter" { // package filter has the operators
			one.Description = strings.Replace(one.Description, "operators", "operators ("+strings.Join(filter.Operators(), " ")+")", 1)
		}
		if shortest := f.Tag.Get("shortest"); shortest != "" && !u.answer {
			one.Description += ". From " + shortest + " to " + f.Tag.Get("longest")
		}
		switch {
		case one.Ref != "":
			clears := strings.HasPrefix(options, "omit") && f.Tag.Get("always") == ""
			one.Ref = u.part(r, f.Type, !u.answer && (u.change || clears))
		case u.answer:
			one.ReadOnly, one.Default = false, nil
			one.Minimum, one.Maximum, one.MaxLength, one.MinItems, one.MaxItems = nil, nil, nil, nil, nil
		case u.change:
			one.Default = nil
			// It is optional, so it can be removed. A member of any type may be null anyway.
			one.Nullable = one.Type != "" && (options != "" || f.Tag.Get("required") == "false")
			if values, ok := one.AdditionalProperties.(*huma.Schema); ok { // null removes one of them
				one.AdditionalProperties = &huma.Schema{Type: values.Type, Nullable: true}
			}
		case f.Tag.Get("default_duration") != "":
			// In words only: a client that sent the timeout's default would fix it.
			one.Description += ". Default: " + f.Tag.Get("default_duration")
		}
		if one.Enum != nil && one.Nullable {
			one.Enum = append(slices.Clone(one.Enum), nil)
		}
		one.PrecomputeMessages()
	}
	slices.Sort(derived.Required)
	return &derived
}

// part adds the schema of a part to the registry, and returns the reference to it.
func (u schemaUse) part(r huma.Registry, t reflect.Type, nullable bool) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	const prefix = "#/components/schemas/"
	part := u
	if u.change {
		part.required = []string{} // nothing in it
	}
	// The declaration's own schema, whatever the registry has under its name now.
	base := huma.SchemaFromType(huma.NewMapRegistry(prefix, huma.DefaultSchemaNamer), t)
	name := huma.DefaultSchemaNamer(t, "") + u.suffix
	derived := part.derive(r, t, base)
	derived.Nullable = nullable
	r.Map()[name] = derived
	return prefix + name
}
