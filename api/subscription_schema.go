package api

import (
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed-49a43567/switchboard"
)

// schemaUse says what the schema of a subscription, or of a part of it, is derived for. The
// declaration is the same: [switchboard.Subscription].
type schemaUse struct {
	suffix   string   // of the names of the parts
	required []string // nil: those that the declaration says
	change   bool     // nothing has a default, and null removes a member
	answer   bool     // it has what is read only, and members with a default are always there
}

// TransformSchema makes the schema of a new subscription: what is read only is not in it.
func (newSubscription) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	return schemaUse{suffix: "Input"}.derive(r, reflect.TypeFor[newSubscription](), s)
}

// TransformSchema makes the schema of a change: nothing but the version is required.
func (subscriptionPatch) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	return schemaUse{suffix: "Change", change: true, required: []string{"version"}}.derive(r, reflect.TypeFor[subscriptionPatch](), s)
}

// TransformSchema makes the schema of a subscription that is previewed: its request is needed.
func (previewed) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	return schemaUse{suffix: "Input", required: []string{"request"}}.derive(r, reflect.TypeFor[newSubscription](), s)
}

// TransformSchema makes the schema of a subscription that is matched: nothing is needed.
func (matched) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	return schemaUse{suffix: "Input", required: []string{}}.derive(r, reflect.TypeFor[newSubscription](), s)
}

// TransformSchema makes the schema of answers.
func (subscription) TransformSchema(r huma.Registry, s *huma.Schema) *huma.Schema {
	return schemaUse{answer: true}.derive(r, reflect.TypeFor[subscription](), s)
}

// derive makes the schema of a type for the use from the one that huma makes of its tags. Those
// of its parts are added to the registry under names of their own.
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
		if u.required == nil && (needed || u.answer && (f.Tag.Get("always") != "" || f.Tag.Get("default") != "")) {
			derived.Required = append(derived.Required, name)
		}
		switch {
		case one.Ref != "":
			one.Ref = u.part(r, f.Type)
		case u.answer:
			one.ReadOnly, one.Default = false, nil
			one.Minimum, one.Maximum, one.MaxLength, one.MinItems, one.MaxItems = nil, nil, nil, nil, nil
		case u.change:
			one.Default = nil
			if options != "" { // it may be left out, so it can be removed
				one.Nullable = true
			}
		case f.Type == reflect.TypeFor[switchboard.Duration]() && one.Default != nil:
			// A client that sent the default of the timeout would fix it.
			one.Default, one.Description = nil, strings.TrimSuffix(one.Description, ".")+". Default: "+f.Tag.Get("default")
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
func (u schemaUse) part(r huma.Registry, t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	const prefix = "#/components/schemas/"
	part := u
	if u.required != nil {
		part.required = []string{}
		if !u.change {
			part.required = nil
		}
	}
	// The declaration's own schema, whatever the registry has under its name by now.
	base := huma.SchemaFromType(huma.NewMapRegistry(prefix, huma.DefaultSchemaNamer), t)
	name := huma.DefaultSchemaNamer(t, "") + u.suffix
	derived := part.derive(r, t, base)
	derived.Nullable = u.change
	r.Map()[name] = derived
	return prefix + name
}
