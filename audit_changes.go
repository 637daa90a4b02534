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

// Set notes what a member was and is, if that differs.
func (c AuditChanges) Set(path string, before, after any) {
	was, _ := json.Marshal(before) // strings, numbers, times
	is, _ := json.Marshal(after)
	c.compare(path, was, is)
}

// Compare notes how the members of two JSON documents differ. A list is one value.
func (c AuditChanges) Compare(before, after json.RawMessage) { c.compare("", before, after) }

func (c AuditChanges) compare(path string, before, after json.RawMessage) {
	if bytes.Equal(before, after) {
		return
	}
	was, is := membersOf(before), membersOf(after)
	if len(before) > 0 && was == nil || len(after) > 0 && is == nil {
		change := AuditChange{Before: before, After: after}
		if len(before)+len(after) > maxAudited {
			change = AuditChange{Hidden: true}
		}
		c[path] = change
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
	was, err := before.audited()
	if err != nil {
		return nil, err
	}
	is, err := after.audited()
	if err != nil {
		return nil, err
	}
	c.Compare(was, is)
	if from, to := before.Request.URL, after.Request.URL; from != to {
		change := AuditChange{Hidden: true}
		if from != "" {
			change.Before, _ = json.Marshal(Address(from) + "/…") // a text
		}
		change.After, _ = json.Marshal(Address(to) + "/…")
		c["request.url"] = change
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

// audited is the document of what of the subscription may be kept in the audit.
func (s *Subscription) audited() (json.RawMessage, error) {
	if s.ID == "" {
		return json.RawMessage(`{}`), nil
	}
	public := *s
	public.Request.URL, public.Request.Headers, public.Request.Params, public.Request.SOAP, public.Auth = "", nil, nil, nil, Auth{}
	document, err := public.Document()
	if err != nil {
		return nil, err
	}
	state, err := json.Marshal(map[string]any{"state": s.State, "version": s.Version})
	return MergePatch(document, state), err
}
