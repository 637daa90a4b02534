package api

import (
	"encoding/json"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// build makes the requested subscription, as it was given, and checks the document, changed by the
// platform's profile and then by the request.
func (s *server) build(in *newSubscription, document json.RawMessage) (switchboard.Subscription, error) {
	base, profile, err := s.profile(in.Profile)
	if err != nil {
		return base, err
	}
	document = switchboard.MergePatch(document, profile, "filter", "request.params")
	platform := base.Profile
	base.Tenant, base.Profile = in.Tenant, ""
	sub, err := change{in.Source.Source(), &in.Subscription}.apply(base, document)
	if err != nil {
		return sub, err
	}
	if err := unverify(&switchboard.Subscription{}, &sub); err != nil {
		return sub, err
	}
	sub.Profile = platform
	if sub.UseCase != "" {
		useCase, known := s.Catalogue.UseCase(sub.UseCase)
		if !known {
			return sub, switchboard.InvalidField("use_case", "is not a use case of any platform: GET /v1/platforms lists them")
		}
		sub.UseCase = useCase.Name
	}
	sub.Secrets, err = firstSecret(withDefaults(sub).Signature.Scheme, in.Secret)
	return sub, err
}

// profile returns what a subscription of that platform starts from. It is a document like those
// that create subscriptions, and is decoded as strictly.
func (s *server) profile(name string) (switchboard.Subscription, json.RawMessage, error) {
	var profile newSubscription
	if name == "" {
		return profile.Subscription, json.RawMessage("{}"), nil
	}
	var known []string
	for _, p := range s.Catalogue.Platforms() {
		if !strings.EqualFold(p.Name, name) {
			known = append(known, p.Name)
			continue
		}
		if err := rest.Decode(p.Profile, &profile); err != nil { // the caller cannot repair it
			return profile.Subscription, nil, &switchboard.Error{Code: switchboard.CodeInternal, Message: "the profile of " + p.Name + " is unusable", Err: err}
		}
		profile.Profile = p.Name
		return profile.Subscription, p.Profile, nil
	}
	return profile.Subscription, nil, switchboard.InvalidField("profile", "is not a platform of the catalogue; known: %s", strings.Join(known, ", "))
}
