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
	Warnings []string // those of [CheckTemplates], with the event as only sample, and of [SignatureWarnings]
}

// Preview makes the request of an attempt that would begin at that time, and sends
// nothing. Its errors are those of [Sender.Prepare].
func (s *Sender) Preview(work switchboard.LoadedDelivery, at time.Time) (Preview, error) {
	m, err := s.Prepare(work, at)
	if err != nil {
		return Preview{}, err
	}
	useCase, err := s.renderer.useCase(work.Subscription.UseCase)
	if err != nil {
		return Preview{}, err
	}
	warnings, err := CheckTemplates(&work.Subscription.Request, useCase, []Sample{{EventType: work.Event.Type, Named: true, Data: work.Event.Data}})
	if err != nil {
		return Preview{}, err
	}
	warnings = append(signing.Warnings(&work.Subscription), warnings...)
	sent := m.sentAs(&work.Subscription.Auth)
	return Preview{Method: sent.Method, URL: m.URL, Headers: sent.Headers, Body: m.Body, Warnings: warnings}, nil
}
