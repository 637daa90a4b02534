package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// fakeStore is the real store. A test can observe it, and make it fail.
type fakeStore struct {
	Store
	mu     sync.Mutex
	before map[string]func() error // called before the method of that name; its error replaces the answer
	calls  map[string]int          // calls of some methods that before allowed

	events        switchboard.EventFilter        // of the last list
	subscriptions switchboard.SubscriptionFilter // of the last list
	deliveries    switchboard.DeliveryFilter     // of the last list
	page          switchboard.PageRequest        // of the last list
	rotation      switchboard.Rotation           // the last one
	awaited       bool                           // whether somebody waits for the last trigger

	damage func(*switchboard.Subscription) // changes subscriptions when they are read; nil: no change
}

// fail makes a method fail; nil: it no longer fails.
func (f *fakeStore) fail(method string, err error) {
	if err == nil {
		f.intercept(method, nil)
		return
	}
	f.intercept(method, func() error { return err })
}

// intercept calls a function before a method.
func (f *fakeStore) intercept(method string, before func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before[method] = before
}

// enter is called at the beginning of each method.
func (f *fakeStore) enter(method string) error {
	f.mu.Lock()
	before := f.before[method]
	f.mu.Unlock()
	if before != nil {
		if err := before(); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[method]++
	return nil
}

func (f *fakeStore) count(method string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[method]
}

func (f *fakeStore) Authenticate(ctx context.Context, text switchboard.Secret) (switchboard.Caller, error) {
	if text == outageKey {
		return switchboard.Caller{}, &switchboard.Error{Code: switchboard.CodeUnavailable, Message: "the database is away", Err: errors.New("dial tcp: refused")}
	}
	if err := f.enter("Authenticate"); err != nil {
		return switchboard.Caller{}, err
	}
	return f.Store.Authenticate(ctx, text)
}

func (f *fakeStore) Accept(ctx context.Context, caller switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error) {
	if err := f.enter("Accept"); err != nil {
		return nil, err
	}
	return f.Store.Accept(ctx, caller, events)
}

func (f *fakeStore) AcceptFor(ctx context.Context, caller switchboard.Caller, subscriptionID string, e switchboard.Event, awaited bool) (switchboard.Acceptance, error) {
	f.awaited = awaited
	if err := f.enter("AcceptFor"); err != nil {
		return switchboard.Acceptance{}, err
	}
	return f.Store.AcceptFor(ctx, caller, subscriptionID, e, awaited)
}

func (f *fakeStore) NotePayloadRead(ctx context.Context, caller switchboard.Caller, deliveryID string) error {
	if err := f.enter("NotePayloadRead"); err != nil {
		return err
	}
	return f.Store.NotePayloadRead(ctx, caller, deliveryID)
}

func (f *fakeStore) Events(ctx context.Context, caller switchboard.Caller, filter switchboard.EventFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.EventDetail], error) {
	f.events, f.page = filter, page
	return f.Store.Events(ctx, caller, filter, page)
}

func (f *fakeStore) Subscriptions(ctx context.Context, caller switchboard.Caller, filter switchboard.SubscriptionFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Subscription], error) {
	f.subscriptions, f.page = filter, page
	found, err := f.Store.Subscriptions(ctx, caller, filter, page)
	for i := range found.Items {
		f.damaged(&found.Items[i])
	}
	return found, err
}

func (f *fakeStore) Subscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	s, err := f.Store.Subscription(ctx, caller, id)
	f.damaged(&s)
	return s, err
}

func (f *fakeStore) GivenSubscription(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	s, err := f.Store.GivenSubscription(ctx, caller, id)
	f.damaged(&s)
	return s, err
}

func (f *fakeStore) SubscriptionWithSecrets(ctx context.Context, caller switchboard.Caller, id string) (switchboard.Subscription, error) {
	s, err := f.Store.SubscriptionWithSecrets(ctx, caller, id)
	f.damaged(&s)
	return s, err
}

func (f *fakeStore) UpdateSubscription(ctx context.Context, caller switchboard.Caller, id string, version int, change func(*switchboard.Subscription) error) (switchboard.Subscription, string, error) {
	return f.Store.UpdateSubscription(ctx, caller, id, version, func(s *switchboard.Subscription) error {
		f.damaged(s)
		return change(s)
	})
}

func (f *fakeStore) damaged(s *switchboard.Subscription) {
	if f.damage != nil {
		f.damage(s)
	}
}

func (f *fakeStore) RotateSecret(ctx context.Context, caller switchboard.Caller, id string, next switchboard.Secret, rotation switchboard.Rotation) (switchboard.Subscription, error) {
	f.rotation = rotation
	return f.Store.RotateSecret(ctx, caller, id, next, rotation)
}

func (f *fakeStore) Deliveries(ctx context.Context, caller switchboard.Caller, filter switchboard.DeliveryFilter, page switchboard.PageRequest) (switchboard.Page[switchboard.Delivery], error) {
	f.deliveries, f.page = filter, page
	return f.Store.Deliveries(ctx, caller, filter, page)
}

// Cancel calls the real method first.
func (f *fakeStore) Cancel(ctx context.Context, caller switchboard.Caller, id, reason string, options ...switchboard.ActionOptions) (switchboard.Delivery, error) {
	d, err := f.Store.Cancel(ctx, caller, id, reason, options...)
	if err == nil {
		err = f.enter("Cancel")
	}
	return d, err
}

func (f *fakeStore) Answer(ctx context.Context, caller switchboard.Caller, deliveryID string) (switchboard.DeliveryDetail, error) {
	if err := f.enter("Answer"); err != nil {
		return switchboard.DeliveryDetail{}, err
	}
	return f.Store.Answer(ctx, caller, deliveryID)
}

// Claim calls the real method first.
func (f *fakeStore) Claim(ctx context.Context, apiKeyID, key string, request [sha256.Size]byte) (switchboard.IdempotencyClaim, error) {
	claim, err := f.Store.Claim(ctx, apiKeyID, key, request)
	if err == nil {
		err = f.enter("Claim")
	}
	return claim, err
}

func (f *fakeStore) SaveAnswer(ctx context.Context, claim switchboard.IdempotencyClaim, answer switchboard.StoredAnswer) error {
	if err := f.enter("SaveAnswer"); err != nil {
		_ = f.Store.Release(ctx, claim, false) // like the end of the claim's time
		return err
	}
	return f.Store.SaveAnswer(ctx, claim, answer)
}

func (f *fakeStore) Release(ctx context.Context, claim switchboard.IdempotencyClaim, nothingDone bool) error {
	if nothingDone {
		_ = f.enter("Release")
	}
	return f.Store.Release(ctx, claim, nothingDone)
}

// fakeSender renders like the real sender, and sends to fake receivers.
type fakeSender struct {
	Previewer
	Receivers
}

// bytesPreview previews everything as a POST of those bytes.
type bytesPreview string

func (p bytesPreview) Preview(switchboard.LoadedDelivery, time.Time) (webhook.Preview, error) {
	return webhook.Preview{Method: "POST", Headers: map[string]string{}, Body: []byte(p)}, nil
}

// fakeReceivers records who was called, and answers as the test says.
type fakeReceivers struct {
	mu         sync.Mutex
	challenged []switchboard.Subscription
	authorized []switchboard.Subscription
	challenge  error
	auth       error
}

func (f *fakeReceivers) Challenge(_ context.Context, s switchboard.Subscription) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.challenged = append(f.challenged, s)
	return f.challenge
}

func (f *fakeReceivers) CheckAuth(_ context.Context, s switchboard.Subscription) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.authorized = append(f.authorized, s)
	return f.auth
}

// fakeGuard refuses names that stand for addresses that a real guard would refuse.
type fakeGuard struct{}

func (fakeGuard) Check(_ context.Context, rawURL string) (warning string, err error) {
	if err := switchboard.ValidateURL("request.url", rawURL); err != nil {
		return "", err
	}
	switch {
	case strings.Contains(rawURL, "169.254.169.254"):
		return "", switchboard.InvalidField("request.url", "points at a link-local address")
	case strings.Contains(rawURL, "unresolved."):
		return "the host has no address now", nil
	}
	return "", nil
}

// fakeEngine records its calls.
type fakeEngine struct {
	mu    sync.Mutex
	calls []string
	err   error

	respectsContext bool // it fails if its context has ended
}

func (f *fakeEngine) note(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call)
}

func (f *fakeEngine) all() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

// forget clears the recorded calls.
func (f *fakeEngine) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = nil
}

func (f *fakeEngine) Start(_ context.Context, deliveries []switchboard.Delivery) {
	for _, d := range deliveries {
		f.note("start " + d.ID)
	}
}

func (f *fakeEngine) Erase(_ context.Context, id string) error {
	f.note("erase " + id)
	return f.err
}

func (f *fakeEngine) Operate(_ context.Context, id string) error {
	f.note("operate " + id)
	return f.err
}

func (f *fakeEngine) ResumeOperation(_ context.Context, id string) error {
	f.note("resume " + id)
	return f.err
}

func (f *fakeEngine) WakeRecovery(_ context.Context, id string) error {
	f.note("wake " + id)
	return f.err
}

func (f *fakeEngine) RetryNow(_ context.Context, id string) error {
	f.note("retry " + id)
	return f.err
}

func (f *fakeEngine) Cancel(ctx context.Context, d switchboard.Delivery) error {
	f.note("cancel " + d.ID)
	if f.respectsContext {
		return ctx.Err()
	}
	return f.err
}
