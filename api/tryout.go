package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// SampleEvent is an event to try a subscription with: a stored one, or one that is made for it.
type SampleEvent struct {
	EventID string          `json:"event_id,omitempty" doc:"Id of a posted event; leave out the following fields then"`
	Type    string          `json:"type,omitempty" doc:"Default: the subscription's first event type" example:"ticket.created" maxLength:"128"`
	Data    json.RawMessage `json:"data,omitempty" verbatim:"true" doc:"Default: the catalogue's sample of the type" example:"{\"ticket\":{\"id\":4711,\"priority\":3}}"`
	ID      string          `json:"id,omitempty" doc:"The event's id" maxLength:"128"`
	Key     string          `json:"key,omitempty" doc:"The event's key" maxLength:"255"`
}

// previewed and matched are subscriptions that need not be stored. The schema of each says what it
// requires.
type (
	previewed struct{ newSubscription }
	matched   struct{ newSubscription }
)

type previewTrial struct {
	Subscription *previewed `json:"subscription" doc:"A subscription as for creation; everything except request may be left out"`
	SampleEvent
}

type matchTrial struct {
	Subscription *matched `json:"subscription" doc:"A subscription as for creation; everything may be left out"`
	SampleEvent
}

// Names of made-up events and deliveries, which show that nobody needs to look for them.
const (
	placeholderEvent    = "evt_preview"
	placeholderDelivery = "dlv_preview"
	placeholderTenant   = "preview"

	// The starting point of a subscription that is tried.
	previewedDocument = `{"name":"preview","events":["*"]}`
	matchedDocument   = `{"name":"preview","events":["*"],"request":{"url":"https://receiver.invalid/"}}`
)

// buildTrial makes the requested subscription with the missing members filled in, and as if its
// address were verified. Errors name their field below "subscription".
func (s *server) buildTrial(caller switchboard.Caller, in *newSubscription, document string) (switchboard.Subscription, error) {
	if in == nil {
		return switchboard.Subscription{}, switchboard.InvalidField("subscription", "is required")
	}
	in.Tenant = cmp.Or(in.Tenant, caller.Tenant, placeholderTenant)
	given, err := s.build(in, json.RawMessage(document))
	if err == nil {
		err = caller.CheckTenant(given.Tenant)
	}
	sub := withDefaults(given)
	sub.State = switchboard.SubscriptionActive
	return sub, ofSubscription(err)
}

// ofSubscription puts the field of an error below "subscription", unless it belongs to the event.
func ofSubscription(err error) error {
	e, ok := errors.AsType[*switchboard.Error](err)
	if !ok || e.Field == "" || e.Field == "data" || strings.HasPrefix(e.Field, "data.") {
		return err
	}
	moved := *e
	moved.Field = "subscription." + e.Field
	return &moved
}

// eventFor finds or makes the event to try the subscription with.
func (s *server) eventFor(ctx context.Context, caller switchboard.Caller, sub *switchboard.Subscription, in *SampleEvent) (switchboard.Event, error) {
	if in.EventID != "" {
		return s.postedEvent(ctx, caller, sub, in)
	}
	kind := s.typeFor(sub, in.Type)
	now := time.Now().UTC()
	e := switchboard.Event{
		ID: cmp.Or(in.ID, placeholderEvent), Tenant: sub.Tenant, Type: cmp.Or(in.Type, kind.Name), Key: in.Key, Data: in.Data, OccurredAt: now, CreatedAt: now,
	}
	switch {
	case e.Data != nil:
	case kind.Sample == nil:
		return e, switchboard.InvalidField("data", "is required: the catalogue has no sample of %s", rest.Clip(kind.Name))
	default:
		e.Data = kind.Sample
	}
	return e, e.Validate(s.MaxData)
}

func (s *server) postedEvent(ctx context.Context, caller switchboard.Caller, sub *switchboard.Subscription, in *SampleEvent) (switchboard.Event, error) {
	if in.Type != "" || in.Data != nil || in.ID != "" || in.Key != "" {
		return switchboard.Event{}, switchboard.InvalidField("event_id", "may not stand beside type, data, id or key: an event that was posted has its own")
	}
	tenant := sub.Tenant
	if tenant == placeholderTenant {
		tenant = caller.Tenant
	}
	e, _, err := s.Store.Event(ctx, caller, tenant, in.EventID)
	if switchboard.CodeOf(err) == switchboard.CodeNotFound {
		return e, &switchboard.Error{Code: switchboard.CodeNotFound, Field: "event_id", Message: "there is no such event of the subscription's tenant"}
	}
	return e, err
}

// typeFor returns the event type of that name with its sample, preferring that of the
// subscription's platform. Without a name, it returns the first type that the subscription receives
// and its templates may read. A type without a sample in the catalogue only has a name.
func (s *server) typeFor(sub *switchboard.Subscription, name string) switchboard.EventType {
	wanted := sub.Events
	if name != "" {
		wanted = []string{name}
	}
	for _, pattern := range wanted {
		for _, platform := range slices.Compact([]string{sub.Profile, ""}) {
			for _, t := range s.Catalogue.EventTypes(platform) {
				if t.Sample != nil && takes(pattern, t.Name) && (name != "" || t.SuitsUseCase(sub.UseCase)) {
					return t
				}
			}
		}
	}
	if name == "" {
		name = testType
		if i := slices.IndexFunc(wanted, func(pattern string) bool { return !strings.HasSuffix(pattern, "*") }); i >= 0 {
			name = wanted[i]
		}
	}
	return switchboard.EventType{Name: name}
}

func takes(pattern, eventType string) bool {
	return (&switchboard.Subscription{Events: []string{pattern}}).Wants(eventType)
}
