package webhook

import (
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// Preview is a request as it would be sent.
type Preview struct {
	Method   string
	URL      string
	Headers  map[string]string // sensitive values masked
	Body     []byte
	Warnings []string // those of [signing.Warnings] and [render.Renderer.Warnings]
}

// Preview makes the request of an attempt that would begin at that time, and does not send it. Its
// errors are those of [Sender.Prepare].
func (s *Sender) Preview(loaded switchboard.LoadedDelivery, at time.Time) (Preview, error) {
	loaded = Overridden(loaded)
	m, err := s.Prepare(loaded, at)
	if err != nil {
		return Preview{}, err
	}
	warnings, err := s.renderer.Warnings(&loaded.Subscription, []switchboard.Event{loaded.Event})
	if err != nil {
		return Preview{}, err
	}
	warnings = append(signing.Warnings(&loaded.Subscription), warnings...)
	sent := sentAs(m, &loaded.Subscription.Auth)
	return Preview{Method: sent.Method, URL: m.URL, Headers: sent.Headers, Body: m.Body, Warnings: warnings}, nil
}
