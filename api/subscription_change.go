package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"net/textproto"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/filter"
	"github.com/seed-49a43567/switchboard/signing"
)

// change is what a strictly decoded body changes in a subscription: in a stored one, or in a
// platform's profile.
type change struct {
	body  json.RawMessage
	given *switchboard.Subscription // the members of the body
}

// apply merges the body into the document of a subscription as it was given, as RFC 7396 says, and
// checks the result. Secrets that come back masked do not change.
func (c change) apply(before switchboard.Subscription, document json.RawMessage) (switchboard.Subscription, error) {
	if field := c.removesRequired(); field != "" && before.ID != "" { // complete refuses a new one
		return before, switchboard.InvalidField(field, "is required: null cannot remove it")
	}
	afresh, err := json.Marshal(c.startsAfresh(&before))
	if err != nil {
		return before, err
	}
	// Filter and params are separate documents, in which null is a value.
	document = switchboard.MergePatch(switchboard.MergePatch(document, afresh), c.body, "filter", "request.params")
	var after switchboard.Subscription
	if err := json.Unmarshal(document, &after); err != nil {
		return before, err
	}
	if has(document, "rate_limit") && after.RateLimit.PerSecond == 0 {
		return before, switchboard.InvalidField("rate_limit.per_second", "is required: null in place of the whole rate_limit removes the limit")
	}
	after.ID, after.Tenant, after.Version = before.ID, before.Tenant, before.Version
	after.State, after.StateReason, after.StateSince, after.StateBy = before.State, before.StateReason, before.StateSince, before.StateBy
	after.Secrets, after.CreatedAt, after.UpdatedAt = before.Secrets, before.CreatedAt, before.UpdatedAt
	if !has(document, "adaptive", "enabled") {
		after.Adaptive.Enabled = !has(document, "timeout") || has(document, "adaptive")
	}
	if after.Unreadable = c.leaves(before.Unreadable); len(after.Unreadable) > 0 {
		return after, after.CheckReadable()
	}
	kept, err := unmask(&after, &before)
	if err != nil {
		return after, err
	}
	if err := c.complete(&after); err != nil {
		return after, err
	}
	return after, requireAgain(&before, &after, kept)
}

// complete normalises what was given and checks it with its defaults.
func (c change) complete(given *switchboard.Subscription) error {
	given.Request.Method = strings.ToUpper(given.Request.Method)
	if !given.Adaptive.Enabled {
		given.Adaptive = switchboard.Adaptive{}
	}
	if given.Filter != nil {
		parsed, err := filter.Parse(given.Filter)
		if err != nil {
			return err
		}
		given.Filter = parsed.Document()
	}
	effective := withDefaults(*given)
	// If the body lowers a limit, a bound that it does not mention follows. The caller may never
	// have named that bound, since profiles have bounds too.
	if !has(c.body, "adaptive", "minimum_timeout") {
		given.Adaptive.MinimumTimeout = min(given.Adaptive.MinimumTimeout, effective.Timeout)
	}
	if !has(c.body, "adaptive", "minimum_attempts") {
		given.Adaptive.MinimumAttempts = min(given.Adaptive.MinimumAttempts, effective.Retry.MaxAttempts)
	}
	effective = withDefaults(*given)
	if err := effective.Validate(); err != nil {
		return err
	}
	return signing.Validate(&effective)
}

func withDefaults(given switchboard.Subscription) switchboard.Subscription {
	given.SetDefaults()
	signing.SetDefaults(&given.Signature)
	return given
}

// removesRequired returns a member that the body sets to null but that every subscription needs, or
// "".
func (c change) removesRequired() string {
	for _, path := range [][]string{{"name"}, {"events"}, {"request"}, {"request", "url"}} {
		if member(c.body, path...) == "null" {
			return strings.Join(path, ".")
		}
	}
	return ""
}

// startsAfresh returns a merge patch that removes what must not survive the body: members of
// another kind of body, scheme or authentication, limits that a timeout alone sets, and headers
// that come back in another case.
func (c change) startsAfresh(before *switchboard.Subscription) map[string]any {
	removed, request, headers := map[string]any{}, map[string]any{}, map[string]any{}
	if kind := c.given.Request.Body; kind != "" && kind != cmp.Or(before.Request.Body, switchboard.BodyEnvelope) {
		request["envelope"], request["params"] = nil, nil
	}
	for name := range c.given.Request.Headers {
		for old := range before.Request.Headers {
			if old != name && strings.EqualFold(old, name) {
				headers[old] = nil
			}
		}
	}
	if scheme := c.given.Signature.Scheme; scheme != "" && scheme != cmp.Or(before.Signature.Scheme, switchboard.DefaultScheme) {
		removed["signature"] = nil
	}
	if kind := c.given.Auth.Type; kind != "" && kind != before.Auth.Type {
		removed["auth"] = nil
	}
	if c.given.Timeout != 0 && !has(c.body, "adaptive") {
		removed["adaptive"] = nil
	}
	if len(headers) > 0 {
		request["headers"] = headers
	}
	if len(request) > 0 {
		removed["request"] = request
	}
	return removed
}

// leaves returns the unreadable members that the body does not give again. No change gives the
// signing secret, which is rotated instead.
func (c change) leaves(unreadable []string) []string {
	return slices.DeleteFunc(slices.Clone(unreadable), func(field string) bool {
		given := has(c.body, strings.Split(field, ".")...)
		switch field {
		case switchboard.UnreadableSecret:
			return true
		case "auth":
			return c.given.Auth.Type != "" || member(c.body, "auth") == "null"
		case "adaptive":
			return given || has(c.body, "timeout")
		case "request.params":
			return given || c.given.Request.Body != "" && c.given.Request.Body != switchboard.BodyParams
		case "request.soap":
			return given || c.given.Request.ContentType != ""
		}
		return given
	})
}

// has reports whether the document has a member at the path.
func has(document json.RawMessage, path ...string) bool { return member(document, path...) != "" }

// member returns the text of the member at the path, or "".
func member(document json.RawMessage, path ...string) string {
	for _, name := range path {
		var members map[string]json.RawMessage
		if json.Unmarshal(document, &members) != nil {
			return ""
		}
		document = members[name]
	}
	return strings.TrimSpace(string(document))
}

// unmask replaces masks by the stored values, and removes the blanks around URLs that come from
// pasting. It returns the members that keep a stored secret.
func unmask(after, before *switchboard.Subscription) (kept []string, err error) {
	if err := unmaskURL("request.url", &after.Request.URL, before.Request.URL); err != nil {
		return nil, err
	}
	if err := unmaskURL("auth.token_url", &after.Auth.TokenURL, before.Auth.TokenURL); err != nil {
		return nil, err
	}
	keep := func(field string, after *switchboard.Secret, stored switchboard.Secret, found bool) {
		switch {
		case *after != switchboard.Mask:
		case found:
			*after, kept = stored, append(kept, field)
		case err == nil:
			err = switchboard.InvalidField(field, "is %s, and there is no stored value to keep", switchboard.Mask)
		}
	}
	for _, s := range []struct {
		field         string
		after, before *switchboard.Secret
	}{
		{"auth.password", &after.Auth.Password, &before.Auth.Password},
		{"auth.token", &after.Auth.Token, &before.Auth.Token},
		{"auth.value", &after.Auth.Value, &before.Auth.Value},
		{"auth.client_secret", &after.Auth.ClientSecret, &before.Auth.ClientSecret},
		{"auth.private_key", &after.Auth.PrivateKey, &before.Auth.PrivateKey},
	} {
		keep(s.field, s.after, *s.before, *s.before != "")
	}
	for _, name := range slices.Sorted(maps.Keys(after.Auth.Parameters)) {
		value := after.Auth.Parameters[name]
		stored, found := before.Auth.Parameters[name]
		keep("auth.parameters."+rest.Clip(name), &value, stored, found)
		after.Auth.Parameters[name] = value
	}
	if err := unmaskParams(&after.Request, &before.Request); err != nil {
		return nil, err
	}
	if soap := after.Request.SOAP; soap != nil {
		stored := cmp.Or(before.Request.SOAP, &switchboard.SOAP{})
		action := switchboard.Secret(soap.Action)
		keep("request.soap.action", &action, switchboard.Secret(stored.Action), stored.Action != "")
		soap.Action = action.Reveal()
		for _, name := range slices.Sorted(maps.Keys(soap.Parameters)) {
			value := switchboard.Secret(soap.Parameters[name])
			old, found := stored.Parameters[name]
			keep("request.soap.parameters."+rest.Clip(name), &value, switchboard.Secret(old), found)
			soap.Parameters[name] = value.Reveal()
		}
	}
	headers := map[string]string{} // the case of names may differ, as HTTP allows
	for name, value := range before.Request.Headers {
		headers[textproto.CanonicalMIMEHeaderKey(name)] = value
	}
	for _, name := range slices.Sorted(maps.Keys(after.Request.Headers)) {
		value, field := switchboard.Secret(after.Request.Headers[name]), "request.headers."+rest.Clip(name)
		if value != switchboard.Mask && strings.Contains(value.Reveal(), switchboard.Mask) {
			return nil, switchboard.InvalidField(field, "holds %s in place of a part of its value: write the whole value", switchboard.Mask)
		}
		stored, found := headers[textproto.CanonicalMIMEHeaderKey(name)]
		keep(field, &value, switchboard.Secret(stored), found)
		after.Request.Headers[name] = value.Reveal()
	}
	return kept, err
}

// unmaskParams keeps the stored params if a mask replaces all of them.
func unmaskParams(after, before *switchboard.Request) error {
	const field = "request.params"
	switch {
	case bytes.Equal(after.Params, before.Params) || !bytes.Contains(after.Params, []byte(switchboard.Mask)):
	case !bytes.Equal(after.Params, asJSON(switchboard.Mask)):
		return switchboard.InvalidField(field, "hold %s in place of a value: write the whole document", switchboard.Mask)
	case before.Params == nil:
		return switchboard.InvalidField(field, "are %s, and there is no stored value to keep", switchboard.Mask)
	default:
		after.Params = before.Params
	}
	return nil
}

// unmaskURL keeps the stored URL if its masked form comes back.
func unmaskURL(field string, after *string, before string) error {
	switch *after = strings.TrimSpace(*after); {
	case *after == switchboard.MaskQuery(before) || *after == switchboard.MaskPath(before):
		*after = before
	case *after != before && switchboard.HoldsMask(*after):
		return switchboard.InvalidField(field, "holds %s in place of a part of its path or query: write the whole URL", switchboard.Mask)
	}
	return nil
}
