package webhook

import (
	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// Overridden applies the overrides of a resend, and returns any other delivery unchanged. If a
// resend goes to another scheme, host or port than the subscription's current one, it carries
// nothing that is meant for that receiver alone: no authentication, no sensitive header, and a
// signature made with a separate secret. Its result says nothing about the subscription's endpoint,
// and the endpoint's health does not stop it.
func Overridden(loaded switchboard.LoadedDelivery) switchboard.LoadedDelivery {
	o := loaded.Overrides
	if o == nil {
		return loaded
	}
	sub := &loaded.Subscription
	loaded.Elsewhere = o.URL != "" && render.Origin(o.URL) != render.Origin(sub.Request.URL)
	*sub = o.Apply(*sub, loaded.Elsewhere)
	if loaded.Elsewhere {
		sub.Secrets, loaded.Health = nil, switchboard.Health{Slow: loaded.Health.Slow, QueueReason: loaded.Health.QueueReason}
		if secret := signing.NewSecret(sub.Signature.Scheme); secret != "" {
			sub.Secrets = []switchboard.SigningSecret{{Secret: secret}}
		}
	}
	loaded.Overrides, loaded.Body = nil, o.Body
	return loaded
}
