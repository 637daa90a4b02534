package cli

import (
	"context"
	"fmt"

	"github.com/seed-49a43567/switchboard/client"
)

// showAttempt prints what an attempt sent and the answer. Programs get the request.
func (s *Session) showAttempt(ctx context.Context, api *client.Client, id string, number int) error {
	d, err := api.GetDelivery(ctx, id)
	if err != nil {
		return err
	}
	sent, err := api.GetAttemptRequest(ctx, id, number, s.actor()...)
	if err != nil {
		return err
	}
	return s.print(s.answers.last, func() {
		s.printFacts(
			fact{"Attempt", fmt.Sprintf("%d, at %s", sent.Number, s.moment(sent.At))}, fact{"To", sent.RemoteIP}, fact{"Same bytes", sent.Same}, fact{"Because", sent.Why},
		)
		s.printf("\n%s %s\n", sent.Request.Method, clean(sent.Request.URL))
		s.printMessage(sent.Request.Headers, sent.Body, sent.BodyEncoding, sent.Redacted)
		for _, a := range d.Attempts {
			if a.Number == number {
				s.printf("\n%s in %s\n", clean(answerOf(a)), milliseconds(a.DurationMS))
				if r := a.Response; r != nil {
					s.printMessage(r.Headers, r.Body, r.Encoding, r.Redacted)
				}
			}
		}
	})
}

// printMessage prints headers and a body, or the note that replaces the body.
func (s *Session) printMessage(headers map[string]string, body, encoding string, redacted *client.Redacted) {
	for _, name := range sortedNames(headers) {
		s.printf("%s: %s\n", clean(name), clean(headers[name]))
	}
	switch {
	case redacted != nil:
		s.printf("\n(%s, SHA-256 %s: this key does not read payloads)\n", count(redacted.Bytes, "byte"), redacted.SHA256)
	case body != "":
		s.printf("\n%s\n", cleanLines(body))
		if encoding != "" {
			s.note("the body is shown in %s", encoding)
		}
	}
}
