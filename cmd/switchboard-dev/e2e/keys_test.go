package e2e

import (
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// madeKey is a key in the answer of POST /v1/keys.
type madeKey struct {
	ID, Key string
}

// newKey makes a key of the role for the tenant, "" for all, and with an expiry if one is given.
func (s *system) newKey(role, tenant string, expiresAt ...time.Time) madeKey {
	s.t.Helper()
	asked := fields{"name": role + " of " + tenant, "role": role}
	if tenant != "" {
		asked["tenant"] = tenant
	}
	for _, at := range expiresAt {
		asked["expires_at"] = at
	}
	a := s.call(http.MethodPost, "/v1/keys", asked)
	if a.status != http.StatusCreated {
		s.t.Fatalf("key: answered %d %s", a.status, a.body)
	}
	return as[madeKey](s.t, a)
}

// as sends a request with that key.
func (s *system) as(key madeKey, method, path string, body any) answer {
	s.t.Helper()
	a, err := s.try(switchboard.Secret(key.Key), method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}
