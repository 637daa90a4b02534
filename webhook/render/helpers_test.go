package render

import (
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// work is a delivery whose subscription posts the data to that URL.
func work(url string) switchboard.LoadedDelivery {
	w := switchboard.LoadedDelivery{
		Event: switchboard.Event{
			ID: "evt_01", Tenant: "acme", Type: "ticket.created", Data: []byte(`{"a": 1.0}`),
			OccurredAt: time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.FixedZone("", 3600)),
		},
		Subscription: switchboard.Subscription{
			ID: "sub_01", Tenant: "acme", Name: "CRM", Events: []string{"*"},
			Request: switchboard.Request{URL: url, Body: switchboard.BodyData},
		},
	}
	w.Subscription.SetDefaults()
	return w
}

// render renders the delivery's event for its subscription.
func render(r *Renderer, w switchboard.LoadedDelivery) (Message, error) {
	return r.Render(&w.Subscription, []switchboard.Event{w.Event}, time.Now())
}

// A message of several events is not supported. None of them is sent alone.
func TestRenderTakesOneEvent(t *testing.T) {
	t.Parallel()
	w := work("https://receiver.test/hook")
	for _, events := range [][]switchboard.Event{nil, {}, {w.Event, w.Event}} {
		if m, err := NewRenderer(nil).Render(&w.Subscription, events, time.Now()); err == nil {
			t.Errorf("%d events: rendered %s", len(events), m)
		}
	}
}
