package store

import (
	"context"
	"slices"
	"sync"

	"github.com/lib/pq"

	"github.com/seed-49a43567/switchboard"
)

// answerChannel tells that the delivery named by the payload, which somebody waits
// for, was answered or has ended.
const answerChannel = "switchboard_answer"

// Answer waits until the receiver has answered an attempt of the delivery, with
// whatever status, or until the delivery can have no answer any more because it has
// ended or is held. When ctx ends first, its error is ctx's. The delivery must
// have been accepted as awaited, or only one that was answered before is seen.
func (s *Store) Answer(ctx context.Context, caller switchboard.Caller, deliveryID string) (switchboard.DeliveryDetail, error) {
	told, stop, err := s.answers.wait(ctx, deliveryID)
	if err != nil {
		return switchboard.DeliveryDetail{}, mapError(ctx, "wait for a response", err)
	}
	defer stop()
	for {
		detail, err := s.Delivery(ctx, caller, deliveryID)
		if err != nil || answered(detail) {
			return detail, err
		}
		select {
		case <-told:
		case <-ctx.Done():
			return detail, ctx.Err()
		}
	}
}

func answered(d switchboard.DeliveryDetail) bool {
	return !d.Delivery.State.HasNextAttempt() ||
		slices.ContainsFunc(d.Attempts, func(a switchboard.Attempt) bool { return a.Outcome.StatusCode != 0 })
}

// announceAnswers tells those who wait for one of the deliveries to look at it.
func announceAnswers(ctx context.Context, tx transaction, rows ...*row) error {
	var ids []string
	for _, r := range rows {
		if r.ResponseAwaited && (r.LastStatusCode != 0 || !r.State.HasNextAttempt()) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return notify(ctx, tx, answerChannel, ids...)
}

// answers wakes those who wait for a delivery's answer. One connection listens for
// all of them; it is made for the first who waits, and kept.
type answers struct {
	url string

	mu       sync.Mutex
	waiting  map[string][]chan struct{} // by delivery
	listener *pq.Listener               // nil until somebody waits
	ready    chan struct{}              // closed when it listens
	ended    chan struct{}              // closed when it was closed
}

func newAnswers(url string) *answers {
	return &answers{url: url, waiting: map[string][]chan struct{}{}, ready: make(chan struct{}), ended: make(chan struct{})}
}

// wait returns a channel that tells when to look at the delivery, until stop is
// called. It is listened for before wait returns.
func (a *answers) wait(ctx context.Context, deliveryID string) (told <-chan struct{}, stop func(), err error) {
	if err := a.listen(ctx); err != nil {
		return nil, nil, err
	}
	mine := make(chan struct{}, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[deliveryID] = append(a.waiting[deliveryID], mine)
	return mine, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.waiting[deliveryID] = slices.DeleteFunc(a.waiting[deliveryID], func(c chan struct{}) bool { return c == mine })
		if len(a.waiting[deliveryID]) == 0 {
			delete(a.waiting, deliveryID)
		}
	}, nil
}

// listen returns when the listener listens. With Postgres away each waits as long
// as it may.
func (a *answers) listen(ctx context.Context) error {
	a.mu.Lock()
	if a.listener == nil {
		a.listener = pq.NewListener(a.url, minReconnect, maxReconnect, nil)
		go a.forward(a.listener)
	}
	a.mu.Unlock()
	select {
	case <-a.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// forward passes on what is announced, until the listener is closed.
func (a *answers) forward(listener *pq.Listener) {
	defer close(a.ended)
	if listener.Listen(answerChannel) != nil { // it was closed
		return
	}
	close(a.ready)
	for n := range listener.Notify {
		a.mu.Lock()
		for id, all := range a.waiting {
			if n != nil && n.Extra != id { // nil: it was reconnected, and what was announced meanwhile is lost
				continue
			}
			for _, c := range all {
				select {
				case c <- struct{}{}:
				default: // it is told already
				}
			}
		}
		a.mu.Unlock()
	}
}

// close ends the listening. Nobody waits any more.
func (a *answers) close() {
	a.mu.Lock()
	listener := a.listener
	a.mu.Unlock()
	if listener != nil {
		_ = listener.Close()
		<-a.ended
	}
}
