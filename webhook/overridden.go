package webhook

import (
	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// Overridden applies the overrides of a resend; any other delivery stays as it is. What goes to
// another scheme, host or port than the subscription has now gets nothing that is meant for its
// receiver alone: neither the authentication nor a sensitive header, and a signature that is made with
// a secret of its own. What is seen there says nothing of the subscription's endpoint, whose health
// does not keep it from being sent.
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
