package webhook

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// TestOverridden: what a resend changes, and what it sends to another scheme, host or port.
func TestOverridden(t *testing.T) {
	t.Parallel()
	body := "changed"
	secret := switchboard.SigningSecret{Secret: signing.NewSecret(signing.Standard)}
	for _, c := range []struct {
		name      string
		overrides switchboard.Overrides
		headers   map[string]string
		auth      bool // the subscription's authentication and secrets
	}{
		{"nothing", switchboard.Overrides{}, map[string]string{"X-Env": "prod", "X-Api-Key": "s3cret"}, true},
		{"headers", switchboard.Overrides{Headers: switchboard.Headers{"x-env": "test", "X-New": "1"}}, map[string]string{"x-env": "test", "X-Api-Key": "s3cret", "X-New": "1"}, true},
		{"body and timeout", switchboard.Overrides{Body: &body, Timeout: switchboard.MaxTimeout}, map[string]string{"X-Env": "prod", "X-Api-Key": "s3cret"}, true},
		{"another path", switchboard.Overrides{URL: "https://CRM.example.com:443/other?a=b"}, map[string]string{"X-Env": "prod", "X-Api-Key": "s3cret"}, true},
		{"another host", switchboard.Overrides{URL: "https://evil.example.com/"}, map[string]string{"X-Env": "prod"}, false},
		{"another port", switchboard.Overrides{URL: "https://crm.example.com:8443/hook"}, map[string]string{"X-Env": "prod"}, false},
		{"another scheme", switchboard.Overrides{URL: "http://crm.example.com:443/hook"}, map[string]string{"X-Env": "prod"}, false},
		{"another host with a credential of its own", switchboard.Overrides{URL: "https://evil.example.com/", Headers: switchboard.Headers{"X-Api-Key": "mine"}},
			map[string]string{"X-Env": "prod", "X-Api-Key": "mine"}, false},
	} {
		w := work("https://crm.example.com/hook")
		stored := switchboard.Headers{"X-Env": "prod", "X-Api-Key": "s3cret"}
		w.Subscription.Request.Headers = stored
		w.Subscription.Auth = switchboard.Auth{Type: switchboard.AuthBearer, Token: "t0ken"}
		w.Subscription.Secrets, w.Overrides = []switchboard.SigningSecret{secret}, &c.overrides
		w.Health.Breaker = switchboard.BreakerOpen
		got := Overridden(w)
		if diff := cmp.Diff(c.headers, map[string]string(got.Subscription.Request.Headers)); diff != "" {
			t.Errorf("%s: headers %s", c.name, diff)
		}
		kept := got.Subscription.Auth.Type == switchboard.AuthBearer && got.Subscription.Secrets[0] == secret && got.Health.Breaker == switchboard.BreakerOpen
		dropped := got.Subscription.Auth.Type == "" && got.Subscription.Secrets[0].Secret != secret.Secret && got.Health.Breaker == "" && got.Elsewhere
		if c.auth && !kept || !c.auth && !dropped {
			t.Errorf("%s: auth %q, elsewhere %t, health %+v", c.name, got.Subscription.Auth.Type, got.Elsewhere, got.Health)
		}
		if len(stored) != 2 || stored["X-Env"] != "prod" {
			t.Errorf("%s: the subscription, which others share, has changed: %v", c.name, len(stored))
		}
		if limit := got.Subscription.LimitsUnder(1).Timeout; c.overrides.Timeout != 0 && limit != c.overrides.Timeout {
			t.Errorf("%s: timeout %s under load", c.name, limit)
		}
		m, err := setup(t, nil).Prepare(w, time.Now())
		if err != nil || c.overrides.Body != nil && string(m.Body) != body || c.overrides.Body == nil && string(m.Body) == body {
			t.Errorf("%s: %v, body %s", c.name, err, m.Body)
		}
	}
}
