package store

import (
	"context"
	"slices"
	"sync"

	"github.com/seed-49a43567/switchboard"
)

// answerChannel carries the ids of awaited deliveries that were answered or have ended.
const answerChannel = "switchboard_answer"

// Answer waits until the receiver has answered an attempt of the delivery, with any status, or
// until no answer can come because the delivery is final or parked. If ctx ends first, it returns
// the error of ctx. The delivery must have been accepted as awaited. Otherwise Answer only sees an
// answer from before the call.
func (s *Store) Answer(ctx context.Context, caller switchboard.Caller, deliveryID string) (switchboard.DeliveryDetail, error) {
	changed, stop, err := s.answers.wait(ctx, deliveryID)
	if err != nil {
		return switchboard.DeliveryDetail{}, mapError(ctx, "wait for a response", err)
	}
	defer stop()
	for {
		detail, err := s.deliveryWith(ctx, caller, deliveryID, nil)
		if err != nil || hasAnswerOrEnd(detail) {
			return detail, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return detail, ctx.Err()
		}
	}
}

// hasAnswerOrEnd reports whether there is an answer, or no answer can come.
func hasAnswerOrEnd(d switchboard.DeliveryDetail) bool {
	return !d.Delivery.State.HasNextAttempt() ||
		slices.ContainsFunc(d.Attempts, func(a switchboard.Attempt) bool { return a.Outcome.StatusCode != 0 })
}

// announceAnswers notifies the callers that wait for one of the deliveries.
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

// answers wakes callers that wait for a delivery's answer. One connection listens for all of them.
// It is made for the first caller that waits, and stays open.
type answers struct {
	url string

	mu      sync.Mutex
	waiting map[string][]chan struct{} // by delivery
	stop    func()                     // ends the listening; nil until a caller waits
	ready   chan struct{}              // closed when it listens
	ended   chan struct{}              // closed when it has ended
}

func newAnswers(url string) *answers {
	return &answers{url: url, waiting: map[string][]chan struct{}{}, ready: make(chan struct{}), ended: make(chan struct{})}
}

// wait returns a channel that gets a signal when the delivery has changed, until stop is called.
// The connection listens before wait returns.
func (a *answers) wait(ctx context.Context, deliveryID string) (changed <-chan struct{}, stop func(), err error) {
	if err := a.listen(ctx); err != nil {
		return nil, nil, err
	}
	signal := make(chan struct{}, 1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[deliveryID] = append(a.waiting[deliveryID], signal)
	return signal, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.waiting[deliveryID] = slices.DeleteFunc(a.waiting[deliveryID], func(c chan struct{}) bool { return c == signal })
		if len(a.waiting[deliveryID]) == 0 {
			delete(a.waiting, deliveryID)
		}
	}, nil
}

// listen returns when the listener listens. While Postgres is unavailable it waits until ctx ends.
func (a *answers) listen(ctx context.Context) error {
	a.mu.Lock()
	if a.stop == nil {
		listening, stop := context.WithCancel(context.Background())
		a.stop = stop
		go a.forward(listening)
	}
	a.mu.Unlock()
	select {
	case <-a.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// forward passes the notifications on until ctx ends.
func (a *answers) forward(ctx context.Context) {
	defer close(a.ended)
	listener := newListener(ctx, a.url)
	if !listen(ctx, listener, answerChannel) {
		return
	}
	close(a.ready)
	for n := range listener.Notify {
		a.mu.Lock()
		for id, all := range a.waiting {
			if n != nil && n.Extra != id { // nil: the connection is new, and notifications before it are lost
				continue
			}
			for _, c := range all {
				select {
				case c <- struct{}{}:
				default: // there is already a signal
				}
			}
		}
		a.mu.Unlock()
	}
}

// close ends the listening. Nobody may wait any longer.
func (a *answers) close() {
	a.mu.Lock()
	stop := a.stop
	a.mu.Unlock()
	if stop != nil {
		stop()
		<-a.ended
	}
}
