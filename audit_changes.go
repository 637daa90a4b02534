package switchboard

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// maxAudited is how long a value of the audit may be, in bytes of JSON. A longer one, as the schema of
// an event type, is only said to have changed: nobody reads it in a list.
const maxAudited = 2048

// Set notes what a member was and is, if that differs. Both can be written as JSON; zero: there is none.
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

// audited is a value as JSON; nil: it is zero.
func audited(value any) json.RawMessage {
	if value == nil || reflect.ValueOf(value).IsZero() {
		return nil
	}
	text, _ := EncodeJSON(value)
	return text
}

// Compare notes how two JSON documents differ, member by member. A list is one value.
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

// membersOf are the members of a JSON object; nil: it is none.
func membersOf(document json.RawMessage) map[string]json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(document, &members) != nil {
		return nil
	}
	return members
}

// hide notes that a member has changed, without its values.
func (c AuditChanges) hide(path string, changed bool) {
	if changed {
		c[path] = AuditChange{Hidden: true}
	}
}

// SubscriptionChanges are the changes from one version of a subscription, as it was given, to
// another. What may hold credentials is not in them: values of headers, params, SOAP, authentication
// but its type, and path and query of the URL, which are a credential where the receiver gives each
// sender an address of its own. A subscription without an id was not there before.
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

// namesOf are the names in one of two maps, or in both.
func namesOf[T any](a, b map[string]T) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// shortened is the scheme and the host of a URL; nil: there is none.
func shortened(address string) any {
	if address == "" {
		return nil
	}
	return Address(address) + "/…"
}

// publicDocument is the document of what of the subscription may be kept in the audit, without its
// filter.
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

// EventTypeChanges are the changes from one version of an event type to another. Schema and samples are
// long, and samples may be somebody's data. Without a name it was not there before.
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
