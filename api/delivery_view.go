package api

import (
	"encoding/base64"
	"math"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// delivery is a delivery in the form of the API. Only the answer for one delivery has attempts and
// actions.
type delivery struct {
	ID             string                        `json:"id" example:"dlv_01k0000000000000000000000"`
	Tenant         string                        `json:"tenant" example:"acme"`
	EventID        string                        `json:"event_id" example:"evt_01k0000000000000000000000"`
	EventType      string                        `json:"event_type" example:"ticket.created"`
	SubscriptionID string                        `json:"subscription_id" example:"sub_01k0000000000000000000000"`
	Host           string                        `json:"host" doc:"Host of the subscription's URL at acceptance, with the port if the URL has one" example:"crm.example.com"`
	State          switchboard.State             `json:"state" enum:"pending,retrying,held,blocked,delivered,failed,cancelled" example:"retrying"`
	Reason         string                        `json:"reason" doc:"Why it has this state, such as http_503, or breaker_open if it is held; empty if the state says everything. If Switchboard itself delays it: waiting_for_slot, waiting_for_temporal, or waiting_for_switchboard: with the cause" example:"http_503"`
	Ending         string                        `json:"ending" doc:"For a failed delivery: whether its attempts are used up, no later one can succeed, or its hold or deadline is over; else empty"`
	Permanent      bool                          `json:"permanent" doc:"The delivery has failed because no later attempt can succeed"`
	LastFailure    switchboard.Failure           `json:"last_failure,omitempty" doc:"Failure of its last attempt, from a closed list; left out: it did not fail, or there was none" example:"http_5xx"`
	LastStatusCode int                           `json:"last_status_code,omitempty" doc:"Status code of its last attempt; left out: no response" example:"503"`
	AttemptsMade   int                           `json:"attempts_made" example:"2"`
	Generation     int                           `json:"generation" doc:"How often it was started; a retry after its end, or a release, starts the next generation" example:"1"`
	NextAttemptAt  *time.Time                    `json:"next_attempt_at" doc:"null: no attempt follows automatically"`
	CreatedAt      time.Time                     `json:"created_at"`
	CompletedAt    *time.Time                    `json:"completed_at" doc:"null until the state is final"`
	ParkedAt       *time.Time                    `json:"held_since,omitempty" doc:"Since when it is held or blocked; otherwise left out, like the next three"`
	HeldUntil      *time.Time                    `json:"held_until,omitempty" doc:"When it fails as hold_expired, or as expired, unless it is released first"`
	ReleasedBy     string                        `json:"released_by,omitempty" doc:"What releases it, in words; the answer for one delivery also says when, if that is known" example:"when the endpoint has answered a probe, the next is at 2026-01-31T12:00:30Z"`
	BlockedBy      string                        `json:"blocked_by,omitempty" doc:"The delivery of the same key that it waits for" example:"dlv_01k0000000000000000000000"`
	ExpiresAt      *time.Time                    `json:"expires_at,omitempty" doc:"When it fails as expired, unless it is delivered by then; left out: deliver_within is not set"`
	Key            string                        `json:"ordering_key,omitempty" doc:"The event's key, if its subscription orders or supersedes by it" example:"ticket-4711"`
	WorkflowID     string                        `json:"workflow_id" doc:"Id of its Temporal workflow" example:"dlv_01k0000000000000000000000"`
	TemporalRunID  string                        `json:"temporal_run_id" doc:"The Temporal run that works on the delivery; empty until a run has recorded something"`
	TemporalURL    string                        `json:"temporal_url" doc:"The workflow in Temporal's web UI; empty if the UI is not configured"`
	Available      []switchboard.AvailableAction `json:"available_actions" nullable:"false" doc:"Which actions this key may take in its current state, and why not the others"`
	ResendOf       string                        `json:"resend_of,omitempty" doc:"The delivery that this one is a copy of; only in the answer for one delivery, like the next two" example:"dlv_01k0000000000000000000000"`
	Changed        []string                      `json:"changed,omitempty" nullable:"false" doc:"What the resend changed in the request: url, headers, body, timeout" example:"[\"headers\"]"`
	ResentAs       []string                      `json:"resent_as,omitempty" nullable:"false" doc:"Its copies, in order" example:"[\"dlv_01k0000000000000000000000\"]"`
	Attempts       []attempt                     `json:"attempts,omitzero" nullable:"false" doc:"Only in the answer for one delivery; in order"`
	Actions        []action                      `json:"actions,omitzero" nullable:"false" doc:"What operators did; only in the answer for one delivery; in order"`

	Subscription *deliverySubscription `json:"subscription,omitempty" doc:"The subscription as it is now. This and the following fields are only in the answer for one delivery"`
	EventKey     string                `json:"event_key,omitempty" doc:"The key of the event; left out: there is none" example:"ticket-4711"`
	Matched      string                `json:"matched,omitempty" doc:"The subscription's pattern that includes the event's type; left out: none does now" example:"ticket.*"`
	Diagnosis    *diagnosis            `json:"diagnosis,omitempty" doc:"Why it has this state, what happens next and when, and what to do"`
}

type attempt struct {
	ID             string              `json:"id" example:"att_01k0000000000000000000000"`
	Number         int                 `json:"number" doc:"Counted from 1 over the whole life of the delivery" example:"1"`
	At             time.Time           `json:"at" doc:"When the attempt began"`
	DurationMS     int64               `json:"duration_ms" example:"12"`
	StatusCode     *int                `json:"status_code" doc:"null: no response" example:"503"`
	Failure        switchboard.Failure `json:"failure" doc:"From a closed list; empty: the attempt succeeded" example:"http_5xx"`
	Detail         string              `json:"detail" doc:"The failure in words"`
	Permanent      bool                `json:"permanent" doc:"No later attempt can succeed, whatever anybody repairs"`
	TimeoutMS      int64               `json:"timeout_ms" doc:"Time limit of the attempt" example:"10000"`
	Load           float64             `json:"load" doc:"Share of the worker's slots in use when the attempt began, 0 to 1; adaptive limits follow it" example:"0.25"`
	Attempts       int                 `json:"maximum_attempts,omitempty" doc:"Number of attempts that the policy allowed under that load" example:"38"`
	IntervalFactor float64             `json:"interval_factor" doc:"The factor by which that load lengthened the wait after the attempt" example:"1.25"`
	Request        sentRequest         `json:"request" doc:"The request. Values of sensitive headers and of the query are masked; for keys without read_payload also the path, the whole query and most headers"`
	Requests       int                 `json:"requests" doc:"How often the request was sent: 0 if it could not be sent; more than 1 if an idle connection broke before the response, an HTTP/2 receiver refused it unprocessed, or a token was renewed" example:"1"`
	Response       *response           `json:"response,omitempty" doc:"The beginning of the response; left out: there was none"`

	SubscriptionVersion int    `json:"subscription_version,omitempty" doc:"Version of the subscription that the request was made from; left out: it is not known" example:"7"`
	RemoteIP            string `json:"remote_ip,omitempty" doc:"The address of the connection; left out: there was none, or it went to an egress proxy" example:"203.0.113.7"`
}

type sentRequest struct {
	Method  string            `json:"method" example:"POST"`
	URL     string            `json:"url" example:"https://crm.example.com/hook"`
	Headers map[string]string `json:"headers"`
	Bytes   int               `json:"bytes" doc:"Length of the body" example:"612"`
	SHA256  string            `json:"sha256,omitempty" doc:"SHA-256 of the body, in hex; left out: it is not known, or was erased" example:"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"`
}

type response struct {
	Headers   map[string]string `json:"headers"`
	Body      string            `json:"body" doc:"At most the first 16 KiB"`
	Encoding  string            `json:"encoding,omitempty" enum:"base64" doc:"base64 if the body is not text; else left out"`
	Redacted  *redacted         `json:"body_redacted,omitempty" doc:"For keys without read_payload: a description of the body instead of the body"`
	Truncated bool              `json:"truncated" doc:"The body was longer than this"`
}

type action struct {
	At     time.Time              `json:"at"`
	Actor  string                 `json:"actor" doc:"The key that called; temporal, if it was done in Temporal" example:"key_01k0000000000000000000000"`
	Name   string                 `json:"actor_name,omitempty" doc:"The name of that key" example:"support desk"`
	Person string                 `json:"person,omitempty" doc:"The person who used the key, from Switchboard-Actor" example:"marta@platform"`
	Action switchboard.ActionKind `json:"action" example:"retry"`
	Reason string                 `json:"reason" example:"receiver fixed"`
}

func (s *server) deliveryOf(d *switchboard.Delivery) delivery {
	return delivery{
		ID: d.ID, Tenant: d.Tenant, EventID: d.EventID, EventType: d.EventType, SubscriptionID: d.SubscriptionID, Host: d.Host,
		State: d.State, Reason: d.Reason, Ending: d.Ending(), Permanent: d.Permanent, LastFailure: d.LastFailure, LastStatusCode: d.LastStatusCode, AttemptsMade: d.AttemptsMade, Generation: d.Generation,
		NextAttemptAt: date(d.NextAttemptAt), CreatedAt: d.CreatedAt.UTC(), CompletedAt: date(d.CompletedAt),
		ParkedAt: date(d.ParkedAt), HeldUntil: date(d.HeldUntil), ReleasedBy: d.ReleasedBy(switchboard.Health{}), BlockedBy: d.BlockedBy,
		ExpiresAt: date(d.ExpiresAt), Key: d.Key, WorkflowID: d.ID, TemporalRunID: d.TemporalRunID, TemporalURL: s.temporalURL(d), Available: []switchboard.AvailableAction{},
	}
}

// temporalURL links to the run that recorded last, or otherwise to the workflow's latest run.
func (s *server) temporalURL(d *switchboard.Delivery) string {
	if s.TemporalUI == "" {
		return ""
	}
	link := s.TemporalUI + "/namespaces/" + url.PathEscape(s.TemporalNamespace) + "/workflows/" + url.PathEscape(d.ID)
	if d.TemporalRunID != "" {
		link += "/" + url.PathEscape(d.TemporalRunID) + "/history"
	}
	return link
}

// addHistory adds what only the answer for one delivery has.
func addHistory(out *delivery, caller switchboard.Caller, d *switchboard.DeliveryDetail) {
	out.ReleasedBy = d.Delivery.ReleasedBy(d.Health)
	out.ResendOf, out.Changed, out.ResentAs = d.ResendOf, d.Changed, d.ResentAs
	out.addContext(caller, d)
	out.Attempts, out.Actions = make([]attempt, 0, len(d.Attempts)), make([]action, 0, len(d.Actions))
	for i := range d.Attempts {
		out.Attempts = append(out.Attempts, attemptOf(caller, &d.Attempts[i]))
	}
	for _, a := range d.Actions {
		out.Actions = append(out.Actions, action{a.At.UTC(), a.Actor, a.KeyName, a.Person, a.Kind, a.Reason})
	}
}

func attemptOf(caller switchboard.Caller, a *switchboard.Attempt) attempt {
	o := &a.Outcome
	out := attempt{
		ID: a.ID, Number: a.Number, At: a.At.UTC(), DurationMS: o.Latency.Milliseconds(),
		Failure: o.Failure, Detail: o.Detail, Permanent: o.IsPermanent(), TimeoutMS: a.Timeout.Milliseconds(),
		Load: hundredths(a.Load), Attempts: a.MaxAttempts, IntervalFactor: hundredths(max(a.IntervalFactor, 1)), Requests: o.Requests,
		Request: sentRequestOf(caller, a), SubscriptionVersion: a.SubscriptionVersion, RemoteIP: o.RemoteIP,
	}
	if o.StatusCode != 0 {
		out.StatusCode, out.Response = &o.StatusCode, responseOf(caller, &o.Response)
	}
	return out
}

func sentRequestOf(caller switchboard.Caller, a *switchboard.Attempt) sentRequest {
	r := &a.Request
	return sentRequest{r.Method, shownURL(caller, r.URL, false), shownHeaders(caller, r.Headers), r.Bytes, digest(r.SHA256)}
}

// hundredths rounds to a precision that people can read.
func hundredths(x float64) float64 { return math.Round(x*100) / 100 }

// responseOf shows the body as text if it is text, so that people can read it.
func responseOf(caller switchboard.Caller, r *switchboard.Response) *response {
	out := &response{Headers: shownHeaders(caller, r.Headers), Truncated: r.Truncated}
	if !caller.ReadPayload {
		out.Redacted = redact(r.Body, out.Headers["Content-Type"], nil)
		return out
	}
	body := r.Body
	if r.Truncated {
		body = wholeRunes(body)
	}
	if utf8.Valid(body) {
		out.Body = string(body)
	} else {
		out.Body, out.Encoding = base64.StdEncoding.EncodeToString(r.Body), "base64"
	}
	return out
}

// wholeRunes removes the last character if the body was cut inside it.
func wholeRunes(body []byte) []byte {
	for back := 1; back < utf8.UTFMax && back <= len(body); back++ {
		if start := len(body) - back; utf8.RuneStart(body[start]) {
			if !utf8.FullRune(body[start:]) {
				return body[:start]
			}
			break
		}
	}
	return body
}
