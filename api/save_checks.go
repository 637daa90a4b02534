package api

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// Receivers sends requests to receivers, and to the servers that they trust, while a subscription
// is being saved.
type Receivers interface {
	// CheckAuth returns an Invalid error for the field at fault unless the subscription's
	// authentication works, as far as that can be known without the receiver.
	CheckAuth(ctx context.Context, sub switchboard.Subscription) error
	// Challenge asks the address whether it wants our requests. A wrong answer is an Invalid error.
	Challenge(ctx context.Context, sub switchboard.Subscription) error
}

// checkBeforeSave checks a valid subscription against its environment before it is stored:
// templates against the samples of its events, addresses against the guard, credentials against
// their issuers, event types and filter against the catalogue. It only checks what differs from
// before, so that nothing else prevents a change. It may be slow, and is not called during a
// transaction of the store.
func (s *server) checkBeforeSave(ctx context.Context, caller switchboard.Caller, before, after *switchboard.Subscription) ([]string, error) {
	warnings, err := s.checkRequest(ctx, before, after)
	if err != nil {
		return nil, err
	}
	more, err := s.eventWarnings(ctx, caller, before, after)
	return append(warnings, more...), err
}

// checkRequest checks the request and its credentials against the environment.
func (s *server) checkRequest(ctx context.Context, before, after *switchboard.Subscription) (warnings []string, err error) {
	if !reflect.DeepEqual(before.Request, after.Request) || !slices.Equal(before.Events, after.Events) {
		if warnings, err = s.checkTemplates(after); err != nil {
			return nil, err
		}
	}
	if !reflect.DeepEqual(before.Request, after.Request) || before.Signature != after.Signature {
		warnings = append(signing.Warnings(after), warnings...)
	}
	if before.Request.URL != after.Request.URL {
		warning, err := s.checkURL(ctx, "request.url", after.Request.URL)
		if err != nil {
			return nil, err
		}
		if warning != "" {
			warnings = append(warnings, "request.url: "+warning)
		}
	}
	if reflect.DeepEqual(before.Auth, after.Auth) {
		return warnings, nil
	}
	if after.Auth.Type == switchboard.AuthOAuth2 && before.Auth.TokenURL != after.Auth.TokenURL {
		// The challenge below finds out that it has no address.
		if _, err := s.checkURL(ctx, "auth.token_url", after.Auth.TokenURL); err != nil {
			return nil, err
		}
	}
	return warnings, s.Sender.CheckAuth(ctx, *after)
}

// checkURL checks that a URL is sendable and allowed.
func (s *server) checkURL(ctx context.Context, field, rawURL string) (warning string, err error) {
	if _, err := render.FinalAddress(field, rawURL); err != nil {
		return "", err
	}
	warning, err = s.Guard.Check(ctx, rawURL)
	return warning, asField(field, err)
}

// checkTemplates checks the templates against the samples of the events that the subscription
// receives.
func (s *server) checkTemplates(sub *switchboard.Subscription) ([]string, error) {
	var useCase *switchboard.UseCase
	if known, ok := s.Catalogue.UseCase(sub.UseCase); ok && sub.UseCase != "" {
		useCase = &known
	}
	var samples []render.Sample
	for _, t := range s.Catalogue.EventTypes(sub.Profile) {
		if !sub.Wants(t.Name) || !t.SuitsUseCase(sub.UseCase) {
			continue
		}
		named := slices.ContainsFunc(sub.Events, func(pattern string) bool { return strings.EqualFold(pattern, t.Name) })
		for _, data := range t.AllSamples() {
			samples = append(samples, render.Sample{EventType: t.Name, Named: named, Data: data})
		}
	}
	return render.CheckTemplates(&sub.Request, useCase, samples)
}

// asField replaces the field name in an error.
func asField(field string, err error) error {
	fault, ok := errors.AsType[*switchboard.Error](err)
	if !ok || fault.Field == "" {
		return err
	}
	renamed := *fault
	renamed.Field = field
	return &renamed
}
