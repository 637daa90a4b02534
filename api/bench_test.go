package api

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// instantEvents accepts everything and stores nothing.
type instantEvents struct{ Store }

func (*instantEvents) Accept(_ context.Context, _ switchboard.Caller, events []switchboard.Event) ([]switchboard.Acceptance, error) {
	out := make([]switchboard.Acceptance, len(events))
	for i := range events {
		out[i] = switchboard.Acceptance{Event: events[i], Deliveries: []switchboard.Delivery{{ID: "dlv_1", SubscriptionID: "sub_1", State: switchboard.StatePending}}}
	}
	return out, nil
}

type idleEngine struct{ fakeEngine }

func (*idleEngine) Start(context.Context, []switchboard.Delivery) {}

// BenchmarkPostEvent measures the cost of the API itself: stores and engine do nothing, and log
// lines are discarded.
func BenchmarkPostEvent(b *testing.B) {
	for _, size := range []struct {
		name string
		data string
	}{
		{"1KiB", `{"text":"` + strings.Repeat("x", 1<<10) + `"}`},
		{"64KiB", `{"text":"` + strings.Repeat("x", 64<<10) + `"}`},
	} {
		b.Run(size.name, func(b *testing.B) {
			api := setup(b, func(c *Config) {
				c.Store = &instantEvents{c.Store}
				c.Engine = &idleEngine{}
				c.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil))
			})
			body := []byte(`{"tenant":"acme","type":"ticket.created","id":"one","data":` + size.data + `}`)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r := httptest.NewRequest("POST", "/v1/events", bytes.NewReader(body))
				r.Header.Set("Authorization", "Bearer "+publisherKey)
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				api.handler.ServeHTTP(w, r)
				if w.Code != http.StatusAccepted {
					b.Fatal(w.Code, w.Body)
				}
			}
		})
	}
}
