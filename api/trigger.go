package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
	"github.com/seed-49a43567/switchboard/ingest"
)

const triggerType = "script.triggered"

// triggered is what a script sends.
type triggered struct {
	Data json.RawMessage `json:"data" verbatim:"true" doc:"Any JSON value; the subscription's templates read it" example:"{\"contact\":{\"id\":4711}}"`
	ID   string          `json:"id,omitempty" doc:"Your own id, which makes triggering idempotent, as with events. Default: a generated id" example:"script-4711" maxLength:"128"`
	Key  string          `json:"key,omitempty" doc:"What the event is about, such as a contact's id: lists, filters and templates can use it" example:"contact-4711" maxLength:"255"`
}

type triggerInput struct {
	ID   string `path:"id" doc:"Id of the subscription" example:"sub_01k0000000000000000000000"`
	Wait string `query:"wait" doc:"Waits this long for the receiver's response: a duration from 100ms to 60s. Left out: answers 202 at once" example:"8s"`
	payload[triggered]
}

// triggerReply is 202 with an acceptance, or 200 with a receiver's answer.
type triggerReply struct {
	Status int
	Body   any
}

func (s *server) triggerSubscription(ctx context.Context, caller switchboard.Caller, in *triggerInput) (*triggerReply, error) {
	wait, err := in.wait()
	if err != nil {
		return nil, err
	}
	accepted, err := s.acceptTrigger(ctx, caller, in, wait > 0)
	if err != nil {
		return nil, err
	}
	if wait == 0 {
		return &triggerReply{http.StatusAccepted, acceptanceOf(&accepted)}, nil
	}
	answer, err := s.awaitResponse(ctx, caller, &accepted, wait)
	if err != nil {
		return nil, err
	}
	return &triggerReply{http.StatusOK, answer}, nil
}

// MaxWait is the maximum wait for a receiver's answer: no user of a script waits longer.
const MaxWait = time.Minute

// minWait is the minimum wait: a shorter one is not worth its connection.
const minWait = 100 * time.Millisecond

// maxWaits limits how many calls of a process wait at the same time: each holds a connection and
// some memory for up to a minute.
const maxWaits = 1000

// wait returns how long to wait; 0: not at all.
func (in *triggerInput) wait() (time.Duration, error) {
	if in.Wait == "" {
		return 0, nil
	}
	wait, err := switchboard.ParseDuration(in.Wait)
	if err != nil || wait < minWait || wait > MaxWait {
		return 0, switchboard.InvalidField("wait", "must be a duration from %s to %s, such as 8s", minWait, switchboard.Duration(MaxWait))
	}
	return wait, nil
}

// acceptTrigger stores the event and its one delivery.
func (s *server) acceptTrigger(ctx context.Context, caller switchboard.Caller, in *triggerInput, responseAwaited bool) (ingest.Result, error) {
	sub, err := s.Store.Subscription(ctx, caller, in.ID)
	if err != nil {
		return ingest.Result{}, err
	}
	e := switchboard.Event{Tenant: sub.Tenant, Type: triggerType, Data: in.JSON.Data, ID: cmp.Or(in.JSON.ID, rest.EventID(ctx, 0)), Key: in.JSON.Key}
	if err := e.CheckPosted(); err != nil {
		return ingest.Result{}, err
	}
	return s.ingest.AcceptFor(ctx, caller, in.ID, e, responseAwaited)
}

// awaitResponse waits for the receiver's answer. The delivery does not depend on the wait: it
// continues when the time is over, when the caller leaves, and when this process stops, which ends
// all waits.
func (s *server) awaitResponse(ctx context.Context, caller switchboard.Caller, accepted *ingest.Result, wait time.Duration) (*receiverResponse, error) {
	if len(accepted.Deliveries) == 0 { // deleted since the first time
		return nil, switchboard.Errorf(switchboard.CodeConflict, "the id was used before, and its delivery was deleted since")
	}
	id := accepted.Deliveries[0].ID
	select {
	case s.waits <- struct{}{}:
		defer func() { <-s.waits }()
	default:
		return nil, &waitError{err: switchboard.Errorf(switchboard.CodeUnavailable, "too many scripts wait for answers; the delivery continues"), event: accepted.Event.ID, delivery: id}
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(s.Serving, cancel)()
	found, err := s.Store.Answer(waiting, caller, id)
	if err == nil {
		return responseTo(caller, accepted, &found)
	}
	switch {
	case waiting.Err() == nil || ctx.Err() != nil: // an error of the store, or the caller has gone
	case s.Serving.Err() != nil:
		err = switchboard.Errorf(switchboard.CodeUnavailable, "this server is stopping; the delivery continues, and a call with the same id waits for it again")
	default:
		err = switchboard.Errorf(switchboard.CodeTimeout, "the receiver has not answered within %s; the delivery continues, and a call with the same id waits for it again", switchboard.Duration(wait))
	}
	return nil, &waitError{err: err, event: accepted.Event.ID, delivery: id}
}

// waitError is an error after the event was accepted. It names the delivery, which continues.
type waitError struct {
	err             error
	event, delivery string
	reason          string // of the delivery's state; may be empty
}

func (e *waitError) Error() string { return fmt.Sprintf("delivery %s: %v", e.delivery, e.err) }
func (e *waitError) Unwrap() error { return e.err }

func (e *waitError) ProblemMembers() (members any, stored bool) {
	return problemMembers{EventID: e.event, DeliveryID: e.delivery, Reason: e.reason}, true
}
