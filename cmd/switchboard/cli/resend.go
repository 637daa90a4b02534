package cli

import (
	"context"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

type resendDeliveryCommand struct {
	ID string `arg:"" help:"The delivery (dlv_…)."`
	requiredReason
	expectation
	URL     string               `name:"url" help:"Send to this URL. Another host gets no stored secret, credential or sensitive header."`
	Header  map[string]string    `mapsep:"none" placeholder:"NAME=VALUE" help:"A header to add or replace; may be repeated."`
	Body    *string              `placeholder:"TEXT" help:"The body to send: a text, @file, or - for standard input."`
	Timeout switchboard.Duration `placeholder:"20s" help:"The time limit of its attempts."`
}

func (resendDeliveryCommand) Help() string {
	return `The copy is a delivery of its own; both name each other.

Examples:

    switchboard deliveries resend dlv_01k0000000000000000000000 --reason "they lost it"
    switchboard deliveries resend dlv_01k0000000000000000000000 --reason "their new path" --url https://crm.example.com/v2/hook --timeout 20s`
}

func (c resendDeliveryCommand) Run(ctx context.Context, s *Session) error {
	resend := client.Resend{Act: c.act(c.Reason), ResendChanges: client.ResendChanges{URL: c.URL, Headers: c.Header}}
	if c.Body != nil {
		body, err := s.read(*c.Body)
		if err != nil {
			return err
		}
		text := string(body)
		resend.Body = &text
	}
	if c.Timeout != 0 {
		resend.Timeout = &c.Timeout
	}
	return act(s, func(api *client.Client) (client.Delivery, error) {
		return api.ResendDelivery(ctx, c.ID, resend, s.options()...)
	}, func(d client.Delivery) {
		s.printf("%s\n  It is a copy of %s.\n", s.line(d), c.ID)
	})
}
