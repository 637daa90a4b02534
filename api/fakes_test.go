package api

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// rotatedAt is when the fake store rotates secrets: whatever grace it gives is not over.
var rotatedAt = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)

var created = time.Date(2026, 1, 31, 12, 0, 0, 0, time.FixedZone("CET", 3600))

func notFound() error { return switchboard.Errorf(switchboard.CodeNotFound, "there is no such thing") }

// fakeStore is made of parts, each of which a test may put another in the place of.
type fakeStore struct {
	EventStore
	EventTypeStore
	SubscriptionStore
	SecretStore
	EndpointStore
	VerificationStore
	DeliveryStore
	AnswerStore
	KeyStore
	IdempotencyStore
	Authenticator
}

// The parts of rest.Store.
type (
	Authenticator interface {
		Authenticate(ctx context.Context, text switchboard.Secret) (switchboard.Caller, error)
	}
	IdempotencyStore interface {
		Claim(ctx context.Context, apiKeyID, key string, request [32]byte) (switchboard.IdempotencyClaim, error)
		SaveAnswer(ctx context.Context, claim switchboard.IdempotencyClaim, answer switchboard.StoredAnswer) error
		Release(ctx context.Context, claim switchboard.IdempotencyClaim, nothingDone bool) error
	}
)

// fakeSender is made of parts too.
type fakeSender struct {
	Previewer
	Receivers
}

// fakeEvents accepts events like the store: each has a pending delivery to sub_1
// and a held one to sub_2.
type fakeEvents struct {
	mu     sync.Mutex
	events []switchboard.Event
	filter switchboard.EventFilter
	page   switchboard.PageRequest
	err    error
	panics bool

	differs   []string
	unknown   bool     // nothing names the tenant
	seen      []string // the types of its last events
	undecided []string // what the filters of the next events' subscriptions come to
	awaited   bool     // somebody waits for the last one
	held      bool     // what is accepted for one subscription is held
}

func (f *fakeEvents) TenantUsage(context.Context, switchboard.Caller, string) (switchboard.TenantUsage, error) {
	return switchboard.TenantUsage{Known: !f.unknown, EventTypes: f.seen}, f.err
}

func (f *fakeEvents) writes() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.events)
}

func (f *fakeEvents) Accept(ctx context.Context, _ switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panics {
		panic("the store has a bug")
	}
	if f.err != nil {
		return nil, f.err
	}
	var out []switchboard.Acceptance
	for _, e := range events {
		out = append(out, f.accept(e))
	}
	return out, ctx.Err()
}

func (f *fakeEvents) accept(e switchboard.Event) switchboard.Acceptance {
	for i, old := range f.events {
		if old.ID != e.ID || old.Tenant != e.Tenant {
			continue
		}
		if string(old.Data) != string(e.Data) {
			return switchboard.Acceptance{Event: e, Err: &switchboard.Error{Code: switchboard.CodeConflict, Field: "id", Message: "was used for another event"}}
		}
		return switchboard.Acceptance{Event: old, Duplicate: true, Deliveries: deliveriesOf(i, old), Differs: f.differs}
	}
	if e.ID == "" {
		e.ID = fmt.Sprintf("evt_%d", len(f.events)+1)
	}
	e.CreatedAt = created
	f.events = append(f.events, e)
	return switchboard.Acceptance{Event: e, Deliveries: deliveriesOf(len(f.events)-1, e), Undecided: f.undecided}
}

func deliveriesOf(i int, e switchboard.Event) []switchboard.Delivery {
	return []switchboard.Delivery{
		{ID: fmt.Sprintf("dlv_%da", i+1), Tenant: e.Tenant, EventID: e.ID, EventType: e.Type, SubscriptionID: "sub_1", State: switchboard.StatePending},
		{ID: fmt.Sprintf("dlv_%db", i+1), Tenant: e.Tenant, EventID: e.ID, EventType: e.Type, SubscriptionID: "sub_2", State: switchboard.StateHeld},
	}
}

func (f *fakeEvents) AcceptFor(_ context.Context, caller switchboard.Caller, subscriptionID string, e switchboard.Event, awaited bool) (switchboard.Acceptance, error) {
	if !caller.Sees(e.Tenant) {
		return switchboard.Acceptance{}, notFound()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.awaited = awaited
	a := f.accept(e)
	if a.Err != nil {
		return a, nil
	}
	a.Deliveries = a.Deliveries[:1]
	a.Deliveries[0].SubscriptionID = subscriptionID
	if f.held {
		a.Deliveries[0].State = switchboard.StateHeld
	}
	return a, nil
}

func (f *fakeEvents) Event(_ context.Context, caller switchboard.Caller, tenant, id string) (switchboard.Event, []switchboard.Delivery, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, e := range f.events {
		if e.ID == id && caller.Sees(e.Tenant) && (tenant == "" || tenant == e.Tenant) {
			return e, deliveriesOf(i, e), nil
		}
	}
	return switchboard.Event{}, nil, notFound()
}

func (f *fakeEvents) Events(_ context.Context, _ switchboard.Caller, filter switchboard.EventFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.EventDetail], error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filter, f.page = filter, page
	if page.Cursor == "tampered" {
		return switchboard.Page[switchboard.EventDetail]{}, switchboard.InvalidField("cursor", "is not one of ours")
	}
	found := switchboard.Page[switchboard.EventDetail]{NextCursor: "next"}
	for i, e := range f.events {
		found.Items = append(found.Items, switchboard.EventDetail{Event: e, Deliveries: deliveriesOf(i, e)})
	}
	return found, nil
}

// fakeSubscriptions has sub_acme of acme and sub_globex of globex.
type fakeSubscriptions struct {
	byID     map[string]switchboard.Subscription
	writes   int
	filter   switchboard.SubscriptionFilter
	rotation switchboard.Rotation
	reason   string
}

func newFakeSubscriptions() *fakeSubscriptions {
	f := &fakeSubscriptions{byID: map[string]switchboard.Subscription{}}
	for _, tenant := range []string{"acme", "globex"} {
		s := switchboard.Subscription{
			ID: "sub_" + tenant, Tenant: tenant, Name: "CRM sync", Events: []string{"ticket.*"}, Version: 3, CreatedAt: created, UpdatedAt: created,
			Request: switchboard.Request{URL: "https://crm.example.com/hook", Headers: map[string]string{"X-Api-Key": "hunter2", "X-Env": "prod"}},
			Secrets: []switchboard.SigningSecret{{Secret: "whsec_hunter2", CreatedAt: created}}, Verification: switchboard.VerificationNone,
		}
		s.SetDefaults()
		f.byID[s.ID] = s
	}
	return f
}

func (f *fakeSubscriptions) CreateSubscription(_ context.Context, _ switchboard.Caller, s *switchboard.Subscription) error {
	s.ID, s.Version, s.CreatedAt, s.UpdatedAt = "sub_new", 1, created, created
	for i := range s.Secrets {
		s.Secrets[i].CreatedAt = created
	}
	*s = withDefaults(*s)
	f.byID[s.ID] = *s
	f.writes++
	return nil
}

func (f *fakeSubscriptions) Subscription(_ context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	s, ok := f.byID[id]
	if !ok || !caller.Sees(s.Tenant) {
		return switchboard.Subscription{}, notFound()
	}
	s.Secrets = nil
	return s, nil
}

// GivenSubscription takes all that is stored for given.
func (f *fakeSubscriptions) GivenSubscription(_ context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	s, ok := f.byID[id]
	if !ok || !caller.Sees(s.Tenant) {
		return switchboard.Subscription{}, notFound()
	}
	return s, nil
}

func (f *fakeSubscriptions) Subscriptions(_ context.Context, _ switchboard.Caller, filter switchboard.SubscriptionFilter, _ switchboard.PageRequest) (switchboard.Page[switchboard.Subscription], error) {
	f.filter = filter
	return switchboard.Page[switchboard.Subscription]{Items: []switchboard.Subscription{f.byID["sub_acme"]}}, nil
}

func (f *fakeSubscriptions) UpdateSubscription(ctx context.Context, caller switchboard.Caller, id string, version int, change func(*switchboard.Subscription) error) (switchboard.Subscription, error) {
	s, err := f.Subscription(ctx, caller, id)
	if err != nil {
		return s, err
	}
	if s.Version != version {
		return s, &switchboard.Error{Code: switchboard.CodeConflict, Field: "version", Message: "is old"}
	}
	if err := change(&s); err != nil {
		return s, err
	}
	s = withDefaults(s)
	s.Version++
	for i := range s.Secrets {
		s.Secrets[i].CreatedAt = s.UpdatedAt
	}
	stored := s
	if len(s.Secrets) == 0 {
		stored.Secrets = f.byID[id].Secrets
	}
	f.byID[id] = stored
	f.writes++
	return s, nil
}

func (f *fakeSubscriptions) DeleteSubscription(ctx context.Context, caller switchboard.Caller, id, reason string) error {
	if _, err := f.Subscription(ctx, caller, id); err != nil {
		return err
	}
	delete(f.byID, id)
	f.reason = reason
	f.writes++
	return nil
}

func (f *fakeSubscriptions) RotateSecret(ctx context.Context, caller switchboard.Caller, id string, next switchboard.Secret, rotation switchboard.Rotation) (switchboard.Subscription, error) {
	s, err := f.Subscription(ctx, caller, id)
	if err != nil {
		return s, err
	}
	s.Version++
	s.Secrets = []switchboard.SigningSecret{{Secret: next, CreatedAt: created.Add(time.Minute)}}
	stored := s
	for _, old := range f.byID[id].Secrets {
		if old.ExpiresAt.IsZero() {
			old.ExpiresAt = rotatedAt.Add(rotation.Grace)
		}
		if !rotation.RevokePrevious {
			stored.Secrets = append(stored.Secrets, old)
		}
	}
	f.byID[id] = stored
	f.rotation = rotation
	f.writes++
	return s, nil
}

// fakeDeliveries has dlv_acme of acme, which is retrying, and dlv_globex of
// globex, which has failed.
type fakeDeliveries struct {
	byID   map[string]switchboard.DeliveryDetail
	filter switchboard.DeliveryFilter
	page   switchboard.PageRequest
	caller switchboard.Caller // of the last action
	writes int
}

func newFakeDeliveries() *fakeDeliveries {
	f := &fakeDeliveries{byID: map[string]switchboard.DeliveryDetail{}}
	for tenant, state := range map[string]switchboard.State{"acme": switchboard.StateRetrying, "globex": switchboard.StateFailed} {
		d := switchboard.Delivery{
			ID: "dlv_" + tenant, Tenant: tenant, EventID: "evt_1", EventType: "ticket.created", SubscriptionID: "sub_" + tenant,
			State: state, Reason: "http_503", AttemptsMade: 1, CreatedAt: created, TemporalRunID: "0198-run",
		}
		if state == switchboard.StateRetrying {
			d.NextAttemptAt = created.Add(time.Minute)
		} else {
			d.CompletedAt = created.Add(time.Minute)
		}
		f.byID[d.ID] = switchboard.DeliveryDetail{Delivery: d}
	}
	return f
}

func (f *fakeDeliveries) Deliveries(_ context.Context, _ switchboard.Caller, filter switchboard.DeliveryFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Delivery], error) {
	f.filter, f.page = filter, page
	if page.Cursor == "tampered" {
		return switchboard.Page[switchboard.Delivery]{}, switchboard.InvalidField("cursor", "is not one of ours")
	}
	return switchboard.Page[switchboard.Delivery]{Items: []switchboard.Delivery{f.byID["dlv_acme"].Delivery}}, nil
}

func (f *fakeDeliveries) Delivery(_ context.Context, caller switchboard.Caller, id string) (switchboard.DeliveryDetail, error) {
	d, ok := f.byID[id]
	if !ok || !caller.Sees(d.Delivery.Tenant) {
		return switchboard.DeliveryDetail{}, notFound()
	}
	return d, nil
}

func (f *fakeDeliveries) Retry(ctx context.Context, caller switchboard.Caller, id, _ string) (switchboard.Delivery, bool, error) {
	d, err := f.Delivery(ctx, caller, id)
	if err != nil {
		return d.Delivery, false, err
	}
	f.writes++
	f.caller = caller
	reopened := d.Delivery.State.Final()
	if reopened {
		d.Delivery.State, d.Delivery.CompletedAt = switchboard.StatePending, time.Time{}
	}
	return d.Delivery, reopened, nil
}

func (f *fakeDeliveries) Cancel(ctx context.Context, caller switchboard.Caller, id, _ string) (switchboard.Delivery, error) {
	d, err := f.Delivery(ctx, caller, id)
	if err != nil {
		return d.Delivery, err
	}
	if d.Delivery.State.Final() {
		return d.Delivery, switchboard.Errorf(switchboard.CodeConflict, "the delivery has ended already")
	}
	f.writes++
	f.caller = caller
	d.Delivery.State, d.Delivery.NextAttemptAt, d.Delivery.CompletedAt = switchboard.StateCancelled, time.Time{}, created
	return d.Delivery, nil
}

// fakeKeys has key_globex of globex.
type fakeKeys struct {
	made   []switchboard.Key
	texts  []switchboard.Secret
	writes int
}

func (f *fakeKeys) CreateKey(_ context.Context, _ switchboard.Caller, k switchboard.Key, text switchboard.Secret) (switchboard.Key, error) {
	k.ID, k.CreatedAt = "key_new", created
	f.made, f.texts = append(f.made, k), append(f.texts, text)
	f.writes++
	return k, nil
}

func (f *fakeKeys) Keys(context.Context, switchboard.Caller, switchboard.PageRequest) (switchboard.Page[switchboard.Key], error) {
	return switchboard.Page[switchboard.Key]{Items: []switchboard.Key{{ID: "key_globex", Tenant: "globex", Role: switchboard.RoleViewer, CreatedAt: created}}}, nil
}

func (f *fakeKeys) RevokeKey(_ context.Context, caller switchboard.Caller, id string) (switchboard.Key, error) {
	if id != "key_globex" || !caller.Sees("globex") {
		return switchboard.Key{}, notFound()
	}
	f.writes++
	return switchboard.Key{ID: id, Tenant: "globex", Role: switchboard.RoleViewer, CreatedAt: created, RevokedAt: created}, nil
}
