package cli

import (
	"context"

	"github.com/seed-49a43567/switchboard/client"
)

type whoamiCommand struct{}

func (whoamiCommand) Help() string {
	return `Examples:

    switchboard whoami --profile prod`
}

func (whoamiCommand) Run(ctx context.Context, s *Session) error {
	return act(s, func(api *client.Client) (client.Me, error) { return api.GetMe(ctx, s.options()...) }, func(me client.Me) {
		tenant, payloads := me.Tenant, "no"
		if tenant == "" {
			tenant = "every tenant"
		}
		if me.ReadPayload {
			payloads = "yes"
		}
		s.printFacts(
			fact{"Key", me.KeyID}, fact{"Name", me.Name}, fact{"Role", string(me.Role)}, fact{"Tenant", tenant},
			fact{"Reads payloads", payloads}, fact{"Expires", s.moment(value(me.ExpiresAt))}, fact{"Person", me.Person},
		)
	})
}
