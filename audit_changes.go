package switchboard

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// maxAudited is how long a value in the audit may be, in bytes of JSON. For a longer one, such as
// the schema of an event type, the audit only says that it changed, because nobody reads it in a
// list.
const maxAudited = 2048

// Set adds the values of a member before and after, if they differ. Both can be written as JSON;
// zero: there is none.
func (c AuditChanges) Set(path string, before, after any) {
	was, is := audited(before), audited(after)
	switch {
	case bytes.Equal(was, is):
	case len(was)+len(is) > maxAudited:
		c.hide(path, true)
	default:
		c[path] = AuditChange{Before: was, After: is}
	}
}

// audited returns a value as JSON; nil: it is zero.
func audited(value any) json.RawMessage {
	if value == nil || reflect.ValueOf(value).IsZero() {
		return nil
	}
	text, _ := EncodeJSON(value)
	return text
}

// Compare adds the differences between two JSON documents, member by member. A list is one value.
func (c AuditChanges) Compare(before, after json.RawMessage) { c.compare("", before, after) }

func (c AuditChanges) compare(path string, before, after json.RawMessage) {
	was, is := membersOf(before), membersOf(after)
	if len(before) > 0 && was == nil || len(after) > 0 && is == nil {
		c.Set(path, before, after)
		return
	}
	for _, name := range namesOf(was, is) {
		c.compare(strings.TrimPrefix(path+"."+name, "."), was[name], is[name])
	}
}

// membersOf returns the members of a JSON object; nil: it is no object.
func membersOf(document json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(document, &members) != nil {
		return nil
	}
	return members
}

// hide adds that a member has changed, without its values.
func (c AuditChanges) hide(path string, changed bool) {
	if changed {
		c[path] = AuditChange{Hidden: true}
	}
}

// SubscriptionChanges returns the changes from one version of a subscription, as it was given, to
// another. It leaves out everything that may be a credential: values of headers, params, SOAP,
// authentication except for its type, and path and query of the URL, which are a credential if the
// receiver gives each sender an address of its own. A subscription without an id did not exist
// before.
func SubscriptionChanges(before, after *Subscription) (AuditChanges, error) {
	c := AuditChanges{}
	was, err := before.publicDocument()
	if err != nil {
		return nil, err
	}
	is, err := after.publicDocument()
	if err != nil {
		return nil, err
	}
	c.Compare(was, is)
	c.Set("filter", before.Filter, after.Filter)
	if from, to := before.Request.URL, after.Request.URL; from != to {
		c["request.url"] = AuditChange{Before: audited(shortened(from)), After: audited(shortened(to)), Hidden: true}
	}
	for _, name := range namesOf(before.Request.Headers, after.Request.Headers) {
		from, had := before.Request.Headers[name]
		to, has := after.Request.Headers[name]
		c.hide("request.headers."+name, had != has || from != to)
	}
	c.hide("request.params", !bytes.Equal(before.Request.Params, after.Request.Params))
	c.hide("request.soap", !reflect.DeepEqual(before.Request.SOAP, after.Request.SOAP))
	if !reflect.DeepEqual(before.Auth, after.Auth) {
		c.Set("auth.type", before.Auth.Type, after.Auth.Type)
		c.hide("auth", true)
	}
	return c, nil
}

// namesOf returns the names in one of two maps, or in both.
func namesOf[T any](a, b map[string]T) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// shortened returns the scheme and the host of a URL; nil: there is none.
func shortened(address string) any {
	if address == "" {
		return nil
	}
	return Address(address) + "/…"
}

// publicDocument returns the part of the subscription's document that the audit may keep, without
// its filter.
func (s *Subscription) publicDocument() (json.RawMessage, error) {
	if s.ID == "" {
		return json.RawMessage(`{}`), nil
	}
	public := *s
	public.Filter, public.Request.URL, public.Request.Headers, public.Request.Params, public.Request.SOAP, public.Auth = nil, "", nil, nil, nil, Auth{}
	document, err := public.Document()
	if err != nil {
		return nil, err
	}
	state, err := json.Marshal(map[string]any{"state": s.State, "version": s.Version})
	return MergePatch(document, state), err
}

// EventTypeChanges returns the changes from one version of an event type to another. It hides
// schema and samples: they are long, and samples may be real data. An event type without a name did
// not exist before.
func EventTypeChanges(before, after EventType) (AuditChanges, error) {
	c := AuditChanges{}
	c.hide("schema", !bytes.Equal(before.Schema, after.Schema))
	c.hide("sample", !bytes.Equal(before.Sample, after.Sample))
	c.hide("samples", !reflect.DeepEqual(before.Samples, after.Samples))
	documents := [2]json.RawMessage{}
	for i, t := range []EventType{before, after} {
		if t.Name == "" {
			continue
		}
		t.Schema, t.Sample, t.Samples = nil, nil, nil
		var err error
		if documents[i], err = EncodeJSON(t); err != nil {
			return nil, err
		}
	}
	c.Compare(documents[0], documents[1])
	return c, nil
}
