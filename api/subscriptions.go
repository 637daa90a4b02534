package api

import (
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// Guard says which addresses may be sent to.
type Guard interface {
	// Check returns an Invalid error for the field "request.url" if the URL points at an address
	// that may never be sent to, and a warning if its host currently has no allowed address.
	Check(ctx context.Context, rawURL string) (warning string, err error)
}

type createSubscriptionInput struct{ payload[newSubscription] }

func (s *server) createSubscription(ctx context.Context, caller switchboard.Caller, in *createSubscriptionInput) (*reply[subscription], error) {
	given, err := s.build(&in.JSON, json.RawMessage("{}"))
	if err != nil {
		return nil, err
	}
	if err := caller.CheckTenant(given.Tenant); err != nil {
		return nil, err
	}
	before, sub := switchboard.Subscription{}, withDefaults(given)
	if err := s.spendChallenge(caller, &sub); err != nil {
		return nil, err
	}
	warnings, err := s.checkBeforeSave(ctx, caller, &before, &sub)
	if err != nil {
		return nil, err
	}
	if err := s.Store.CreateSubscription(ctx, caller, &given); err != nil {
		return nil, err
	}
	sub = s.verifySaved(ctx, caller, given)
	out := withSecret(caller, &sub, current(sub.Secrets))
	out.Warnings = warnings
	return &reply[subscription]{Body: out}, nil
}

type subscriptionInput struct {
	ID      string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	Include string `query:"include" enum:"health" doc:"health: also recent traffic; the answer has the health of the endpoint in any case"`
}

func (s *server) getSubscription(ctx context.Context, caller switchboard.Caller, in *subscriptionInput) (*reply[subscription], error) {
	sub, err := s.Store.Subscription(ctx, caller, in.ID)
	if err == nil {
		err = s.addKeys(ctx, caller, &sub)
	}
	if err != nil {
		return nil, err
	}
	shown := []subscription{subscriptionFor(caller)(&sub)}
	if err := s.addHealth(ctx, shown, in.Include == includeHealth); err != nil {
		return nil, err
	}
	return &reply[subscription]{Body: shown[0]}, nil
}

type subscriptionsInput struct {
	Tenant    string `query:"tenant" doc:"Only this tenant"`
	State     string `query:"state" enum:"active,paused,disabled,unverified" doc:"Only with this state"`
	EventType string `query:"event_type" maxLength:"128" doc:"Only subscriptions whose event types and patterns include this type"`
	Failing   string `query:"failing" enum:"true,false" doc:"true: only subscriptions with a failing endpoint: its breaker is not closed, or its last 3 attempts have failed. false: only the others"`
	Text      string `query:"text" maxLength:"200" doc:"Only subscriptions with this text in the id, name, tenant or host; case does not matter"`
	Include   string `query:"include" enum:"health" doc:"health: also the health of each endpoint, its numbers of held and open deliveries, and the attempts of the last 24 hours"`
	Limit     int    `query:"limit" minimum:"1" maximum:"250" default:"50" doc:"Maximum number of entries in a page"`
	Cursor    string `query:"cursor" doc:"next_cursor of the previous page"`
}

func (s *server) listSubscriptions(ctx context.Context, caller switchboard.Caller, in *subscriptionsInput) (*reply[page[subscription]], error) {
	tenant, err := tenantFilter(caller, in.Tenant)
	if err != nil {
		return nil, err
	}
	filter := switchboard.SubscriptionFilter{Tenant: tenant, State: switchboard.SubscriptionState(in.State), EventType: in.EventType, Text: in.Text}
	if in.Failing != "" {
		failing := in.Failing == "true"
		filter.Failing = &failing
	}
	found, err := s.Store.Subscriptions(ctx, caller, filter, switchboard.PageRequest{Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, err
	}
	answer := rest.PageOf(found, subscriptionFor(caller))
	if in.Include == includeHealth {
		if err := s.addHealth(ctx, answer.Body.Data, true); err != nil {
			return nil, err
		}
	}
	return answer, nil
}

type updateSubscriptionInput struct {
	ID string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	payload[subscriptionPatch]
}

func (s *server) updateSubscription(ctx context.Context, caller switchboard.Caller, in *updateSubscriptionInput) (*reply[subscription], error) {
	patch := &in.JSON
	if patch.Version == 0 {
		return nil, switchboard.InvalidField("version", "is required: name the version that you change")
	}
	given, err := s.Store.GivenSubscription(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	if err := given.CheckVersion(patch.Version); err != nil {
		return nil, err
	}
	changed, err := s.change(patch, given)
	if err != nil {
		return nil, err
	}
	before, after := withDefaults(given), withDefaults(changed)
	if before.Request.URL != after.Request.URL || before.Auth.TokenURL != after.Auth.TokenURL || before.Verification != after.Verification || has(patch.Source.Source(), "auth") {
		if err := s.spendChallenge(caller, &after); err != nil {
			return nil, err
		}
	}
	warnings, err := s.checkBeforeSave(ctx, caller, &before, &after)
	if err != nil {
		return nil, err
	}
	sub, err := s.saveChange(ctx, caller, patch, &before, &after)
	if err != nil {
		return nil, err
	}
	sub.Warnings = warnings
	return &reply[subscription]{Body: sub}, nil
}

// change returns the subscription, as it was given, with the patch applied.
func (s *server) change(patch *subscriptionPatch, given switchboard.Subscription) (switchboard.Subscription, error) {
	document, err := given.Document()
	if err != nil {
		return given, err
	}
	changed, err := change{patch.Source.Source(), &patch.Subscription}.apply(given, document)
	if err != nil {
		return given, err
	}
	if known, ok := s.Catalogue.UseCase(changed.UseCase); ok && changed.UseCase != "" {
		changed.UseCase = known.Name // a platform may have another name for it
	}
	switch {
	case !strings.EqualFold(changed.UseCase, given.UseCase):
		return given, switchboard.InvalidField("use_case", "is fixed at creation: make another subscription")
	case !strings.EqualFold(changed.Profile, given.Profile):
		return given, switchboard.InvalidField("profile", "is fixed at creation: change the members that it gave, or make another subscription")
	}
	changed.Profile, changed.UseCase = given.Profile, given.UseCase
	return changed, unverify(&given, &changed)
}

// saveChange stores the subscription with the patch applied, with a new signing secret if another
// scheme needs one, and verifies its address if that is new. A patch without changes does not
// change the version.
func (s *server) saveChange(ctx context.Context, caller switchboard.Caller, patch *subscriptionPatch, before, after *switchboard.Subscription) (subscription, error) {
	if reflect.DeepEqual(before, after) {
		return subscriptionFor(caller)(before), nil
	}
	var secrets []switchboard.SigningSecret
	if before.Signature.Scheme != after.Signature.Scheme {
		secrets = nextSecrets(after.Signature.Scheme, before.Secrets)
	}
	sub, operation, err := s.Store.UpdateSubscription(ctx, caller, before.ID, before.Version, func(given *switchboard.Subscription) (err error) {
		*given, err = s.change(patch, *given)
		given.Secrets = secrets
		return err
	})
	if err != nil {
		return subscription{}, err
	}
	if operation != "" {
		s.operate(ctx, operation)
		s.wakeRecovery(ctx, before.ID)
	}
	if before.Verification != sub.Verification || before.Request.URL != sub.Request.URL {
		sub = s.verifySaved(ctx, caller, sub)
	}
	if len(secrets) == 0 {
		sub.Secrets = before.Secrets // to show what signs
		if slices.Contains(before.Unreadable, switchboard.UnreadableSecret) {
			sub.Unreadable = []string{switchboard.UnreadableSecret}
		}
	}
	return withSecret(caller, &sub, current(secrets)), nil
}

type deleteSubscriptionInput struct {
	ID     string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	Reason string `query:"reason" required:"true" doc:"The reason, in your own words; stored with its deliveries" maxLength:"500" example:"replaced by another"`
}

func (s *server) deleteSubscription(ctx context.Context, caller switchboard.Caller, in *deleteSubscriptionInput) (*empty, error) {
	if err := checkRequiredReason(in.Reason); err != nil {
		return nil, err
	}
	operation, err := s.Store.DeleteSubscription(ctx, caller, in.ID, in.Reason)
	if err != nil {
		return nil, err
	}
	s.operate(ctx, operation)
	s.wakeRecovery(ctx, in.ID)
	return &empty{}, nil
}

// testEvent is the event of a test.
type testEvent struct {
	Type string          `json:"type,omitempty" doc:"The event type; it need not be among the subscription's events. Default: the first of them with a sample in the catalogue, else switchboard.test" example:"ticket.created" maxLength:"128"`
	Data json.RawMessage `json:"data,omitempty" verbatim:"true" doc:"Any JSON value; left out, the catalogue's sample of the type, else {\"test\":true} with a message" example:"{\"ticket\":{\"id\":4711}}"`
}

const (
	testType = "switchboard.test"
	testData = `{"test":true,"message":"A test event from Switchboard. If you can read this, the subscription works."}`
)

type testInput struct {
	ID string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	payload[testEvent]
}

func (s *server) testSubscription(ctx context.Context, caller switchboard.Caller, in *testInput) (*reply[acceptance], error) {
	sub, err := s.Store.Subscription(ctx, caller, in.ID)
	if err != nil {
		return nil, err
	}
	e := s.eventToTest(sub, &in.JSON)
	e.ID = rest.EventID(ctx, 0)
	accepted, err := s.ingest.AcceptFor(ctx, caller, in.ID, e, false)
	if err != nil {
		return nil, err
	}
	return &reply[acceptance]{Body: acceptanceOf(&accepted)}, nil
}

// eventToTest returns an event like those that the subscription receives, if the catalogue knows
// one. A subscription without a platform that accepts every type may get events of any platform, so
// none is typical.
func (s *server) eventToTest(sub switchboard.Subscription, in *testEvent) switchboard.Event {
	if sub.Profile == "" {
		sub.Events = definite(sub.Events)
	}
	kind := s.typeFor(&sub, in.Type)
	if kind.Sample == nil {
		kind = switchboard.EventType{Name: testType, Sample: json.RawMessage(testData)}
	}
	e := switchboard.Event{Tenant: sub.Tenant, Type: cmp.Or(in.Type, kind.Name), Data: in.Data}
	if e.Data == nil {
		e.Data = kind.Sample
	}
	return e
}
