package api

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// deliverySubscription is the subscription of a delivery, in short.
type deliverySubscription struct {
	Name    string                        `json:"name" example:"CRM sync"`
	Version int                           `json:"version" example:"7"`
	State   switchboard.SubscriptionState `json:"state" enum:"active,paused,disabled,unverified" example:"active"`
	Deleted bool                          `json:"deleted,omitempty" doc:"The subscription was deleted"`
}

// diagnosis is a [switchboard.Diagnosis] in the form of the API.
type diagnosis struct {
	Why          string           `json:"why" example:"Attempt 7 failed at 2026-01-31T12:17:35Z: crm.example.com failed with 503 Service Unavailable. 6 attempts before it ended the same way, since 2026-01-31T11:47:15Z."`
	ReceiverSaid string           `json:"receiver_said,omitempty" doc:"The beginning of the receiver's last response, if it was a failure and is text; only for keys with read_payload" example:"upstream connect error"`
	Next         nextStep         `json:"next" doc:"What happens next"`
	Side         switchboard.Side `json:"side" enum:"nobody,receiver,settings,switchboard,operator" doc:"Who can end it: the operator of the endpoint, the editor of the subscription, the operator of Switchboard, the person who caused it on purpose, or nobody, because nothing is wrong" example:"receiver"`
	Advice       string           `json:"advice" doc:"Empty: nothing needs to be done" example:"Wait: it is retried. If it lasts, tell the owner of the endpoint"`
	Alike        *alike           `json:"alike" doc:"The other deliveries to this host in the same state after the same failure; null: they are not counted, because this one has not failed, or counting took too long"`
}

type nextStep struct {
	Text    string     `json:"text" doc:"The explanation in words" example:"Attempt 8 of 38 follows at 2026-01-31T13:18:20Z: 1h0m45s by the policy; +1.2 % so that deliveries that failed together are not retried together."`
	At      *time.Time `json:"at" doc:"When the next attempt is made; null: there is no date"`
	Number  int        `json:"number" doc:"Number of the next attempt; 0: none follows automatically" example:"8"`
	Of      int        `json:"of" doc:"Number of the last attempt that the policy allows; 0: none follows" example:"38"`
	Because []cause    `json:"because" nullable:"false" doc:"What set that date, or what prevents one"`
}

type cause struct {
	Code switchboard.CauseCode `json:"code" example:"policy_interval"`
	Text string                `json:"text" example:"1h0m45s by the policy"`
	At   *time.Time            `json:"at,omitempty" doc:"The date in question"`
}

type alike struct {
	Count int  `json:"count" example:"312"`
	More  bool `json:"more" doc:"Only the newest 10,000 deliveries of the host, or of the key's tenant, in that state were checked, and there are more"`
}

// addContext adds what explains the delivery.
func (out *delivery) addContext(caller switchboard.Caller, d *switchboard.DeliveryDetail) {
	out.EventKey, out.Diagnosis = d.Event.Key, diagnosisOf(caller, d)
	if sub := &d.Subscription; sub.ID != "" {
		out.Subscription = &deliverySubscription{sub.Name, sub.Version, sub.State, !sub.DeletedAt.IsZero()}
		out.Matched = matchedPattern(sub, d.Delivery.EventType)
	}
}

// diagnosisOf explains the delivery. Only callers who may read payloads see what the receiver
// answered.
func diagnosisOf(caller switchboard.Caller, d *switchboard.DeliveryDetail) *diagnosis {
	found := switchboard.Diagnose(d, d.ReadAt)
	out := &diagnosis{
		Why: found.Why, Side: found.Side, Advice: found.Advice,
		Next: nextStep{found.Next.Text, date(found.Next.At), found.Next.Number, found.Next.Of, make([]cause, len(found.Next.Because))},
	}
	if caller.ReadPayload {
		out.ReceiverSaid = found.ReceiverSaid
	}
	for i, c := range found.Next.Because {
		out.Next.Because[i] = cause{c.Code, c.Text, date(c.At)}
	}
	if d.Alike != nil {
		out.Alike = &alike{d.Alike.Count, d.Alike.More}
	}
	return out
}

// matchedPattern returns the first of the subscription's patterns that matches events of that type,
// or "".
func matchedPattern(sub *switchboard.Subscription, eventType string) string {
	at := slices.IndexFunc(sub.Events, func(pattern string) bool { return takes(pattern, eventType) })
	if at < 0 {
		return ""
	}
	return sub.Events[at]
}

// digest shows a SHA-256, or "" if it is unknown.
func digest(sum []byte) string { return hex.EncodeToString(sum) }
