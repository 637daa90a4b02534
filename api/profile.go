package api

import (
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// made makes the subscription that was asked for, and checks it by itself. A
// platform's profile takes the place of defaults, and what was given that of the
// profile, field by field.
func (s *server) made(in *newSubscription) (switchboard.Subscription, error) {
	// Limits follow the load unless somebody asks for others.
	sub := switchboard.Subscription{Tenant: in.Tenant, Adaptive: switchboard.Adaptive{Enabled: true}}
	if in.Profile != nil && *in.Profile != "" {
		if err := s.startFrom(*in.Profile, &sub); err != nil {
			return sub, err
		}
	}
	if err := in.given().complete(&sub); err != nil {
		return sub, err
	}
	if err := unverify(&switchboard.Subscription{}, &sub); err != nil {
		return sub, err
	}
	if in.UseCase != nil && *in.UseCase != "" {
		useCase, known := s.Catalogue.UseCase(*in.UseCase)
		if !known {
			return sub, switchboard.InvalidField("use_case", "is not a use case of any platform: GET /v1/platforms lists them")
		}
		sub.UseCase = useCase.Name
	}
	var err error
	sub.Secrets, err = firstSecret(sub.Signature.Scheme, in.Secret)
	return sub, err
}

// startFrom puts a platform's profile into the subscription. A profile is a
// document like the one that subscriptions are made from, and read as strictly.
func (s *server) startFrom(name string, sub *switchboard.Subscription) error {
	var known []string
	for _, p := range s.Catalogue.Platforms() {
		if !strings.EqualFold(p.Name, name) {
			known = append(known, p.Name)
			continue
		}
		var profile subscriptionPatch
		err := rest.Decode(p.Profile, &profile)
		if err == nil {
			err = profile.merge(sub)
		}
		if err != nil { // not of the caller's making
			return &switchboard.Error{Code: switchboard.CodeInternal, Message: "the profile of " + p.Name + " is unusable", Err: err}
		}
		sub.Profile = p.Name
		return nil
	}
	return switchboard.InvalidField("profile", "is not a platform of the catalogue; known: %s", strings.Join(known, ", "))
}
