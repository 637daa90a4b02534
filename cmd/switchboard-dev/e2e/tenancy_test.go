package e2e

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// property is what a tenant owns in a test: one id of each kind.
type property struct {
	tenant, subscription, event, ownEvent, delivery, key, erasure, operation, session, portalLink string
}

// populate gives the tenant a subscription, two events, one of them with an id that other tenants
// also use, and a delivery in backoff.
func (s *system) populate(tenant, url string) property {
	s.t.Helper()
	p := property{tenant: tenant, ownEvent: "order-" + tenant, event: "order-1"}
	s.call(http.MethodPost, "/v1/events", fields{"tenant": tenant, "type": "ticket.created", "id": "gone-" + tenant, "data": tenant})
	p.erasure = s.erase("/v1/events/gone-" + tenant + "/data").ID
	p.subscription, _ = s.subscribe(url, fields{
		"tenant": tenant, "name": "same name", "retry": hourly["retry"], "signature": fields{"scheme": "standard-ed25519"}, // whose keys are listed
	})
	for _, id := range []string{p.event, p.ownEvent} {
		a := s.call(http.MethodPost, "/v1/events", fields{"tenant": tenant, "type": "ticket.created", "id": id, "data": tenant})
		accepted := as[client.Acceptance](s.t, a)
		if a.status != http.StatusAccepted || accepted.Duplicate || len(accepted.Deliveries) != 1 {
			s.t.Fatalf("answered %d %s", a.status, a.body)
		}
		p.delivery = accepted.Deliveries[0].ID
		s.awaitBackoff(p.delivery)
	}
	p.key = s.newKey("viewer", tenant).ID
	p.operation = s.release(tenant, url)
	p.session, p.portalLink = s.signIn(tenant, p.key), s.portalLink(tenant, p.key)
	return p
}

// signIn signs one of the tenant's people in, and returns the session's id.
func (s *system) signIn(tenant, key string) (session string) {
	s.t.Helper()
	session = switchboard.NewID(switchboard.SessionPrefix, time.Now())
	hash := sha256.Sum256([]byte(session))
	_, err := s.database().Exec(`
INSERT INTO sessions (id, hash, key_id, person, role, tenant, read_payload, portal, created_at, seen_at, ends_at, address)
VALUES ($1, $2, $3, 'Bob', 'viewer', $4, false, true, now(), now(), now() + interval '1 hour', '')`, session, hash[:], key, tenant)
	if err != nil {
		s.t.Fatal(err)
	}
	return session
}

// portalLink makes a link for one of the tenant's people, and returns its id.
func (s *system) portalLink(tenant, key string) (link string) {
	s.t.Helper()
	link = switchboard.NewID(switchboard.PortalLinkPrefix, time.Now())
	hash := sha256.Sum256([]byte(link))
	_, err := s.database().Exec(`
INSERT INTO portal_links (id, hash, key_id, person, role, tenant, read_payload, next, created_at, expires_at, seconds)
VALUES ($1, $2, $3, 'Bob', 'viewer', $4, false, '', now(), now() + interval '1 hour', 3600)`, link, hash[:], key, tenant)
	if err != nil {
		s.t.Fatal(err)
	}
	return link
}

// release pauses and resumes a subscription of the tenant, and returns the id of the finished
// operation.
func (s *system) release(tenant, url string) (operation string) {
	s.t.Helper()
	subscription, _ := s.subscribe(url, fields{"tenant": tenant, "events": []string{"nothing.of.it"}})
	for _, call := range []string{"pause", "resume"} {
		if a := s.call(http.MethodPost, "/v1/subscriptions/"+subscription+"/"+call, fields{"reason": "test"}); a.status != http.StatusOK {
			s.t.Fatalf("%s: answered %d %s", call, a.status, a.body)
		}
	}
	await(s.t, "the release to end", func() bool {
		found := as[struct{ Data []client.Operation }](s.t, s.call(http.MethodGet, "/v1/operations?subscription="+subscription, nil)).Data
		if len(found) != 1 {
			s.t.Fatalf("%d operations", len(found))
		}
		operation = found[0].ID
		return found[0].State == switchboard.OperationFinished
	})
	return operation
}

// Whatever a tenant's key requests about another's object, the answer is that for an id that does
// not exist, and nothing changes.
func TestTenantsDoNotKnowOfEachOther(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	acme, globex := s.populate("acme", r.URL), s.populate("globex", r.URL)
	operations := s.operations()
	key := s.newKey("admin", "acme") // it may do everything within its tenant
	db := s.database()
	before := snapshotOf(t, db)
	for _, operation := range operations {
		foreign, missing := idFor(operation, globex), idFor(operation, nobody())
		other, none := s.ask(key, operation, foreign), s.ask(key, operation, missing)
		if other.status != http.StatusNotFound {
			t.Errorf("%s of another tenant: answered %d %s", operation, other.status, other.body)
		}
		if diff := cmp.Diff(withoutIDs(none, missing), withoutIDs(other, foreign)); diff != "" {
			t.Errorf("%s: the answers for what does not exist and for another tenant's differ:\n%s", operation, diff)
		}
	}
	if diff := cmp.Diff(before, snapshotOf(t, db)); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
	if n := len(r.got()); n != 4 {
		t.Errorf("%d requests, want 4", n)
	}
	// The same calls find the tenant's own objects.
	for _, operation := range operations {
		if !strings.HasPrefix(operation, http.MethodGet) {
			continue
		}
		if a := s.ask(key, operation, idFor(operation, acme)); a.status != http.StatusOK {
			t.Errorf("%s of the own tenant: answered %d %s", operation, a.status, a.body)
		}
	}
}

// operations returns all operations of the API that name one object by its id, such as "GET
// /v1/events/{id}".
func (s *system) operations() []string {
	s.t.Helper()
	document := as[struct {
		Paths map[string]map[string]any `json:"paths"`
	}](s.t, s.call(http.MethodGet, "/openapi.json", nil))
	var found []string
	for path, item := range document.Paths {
		for method := range item {
			if strings.Contains(path, "{id}") {
				found = append(found, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(found)
	const least = 10 // those of the first version
	if len(found) < least {
		s.t.Fatalf("the API's description names %d operations with an id: %v", len(found), found)
	}
	return found
}

// idFor returns the tenant's id for the operation.
func idFor(operation string, p property) string {
	for part, id := range map[string]string{"/events/": p.ownEvent, "/subscriptions/": p.subscription, "/deliveries/": p.delivery, "/keys/": p.key, "/erasures/": p.erasure, "/operations/": p.operation, "/sessions/": p.session, "/portal_links/": p.portalLink} {
		if strings.Contains(operation, part) {
			return id
		}
	}
	panic("what has " + operation + " an id of?")
}

// nobody has ids that do not exist.
func nobody() property {
	now := time.Now()
	return property{
		ownEvent: "order-nobody", subscription: switchboard.NewID(switchboard.SubscriptionPrefix, now),
		erasure: switchboard.NewID(switchboard.ErasurePrefix, now), operation: switchboard.NewID(switchboard.OperationPrefix, now),
		delivery: switchboard.NewID(switchboard.DeliveryPrefix, now), key: switchboard.NewID(switchboard.KeyPrefix, now),
		session: switchboard.NewID(switchboard.SessionPrefix, now), portalLink: switchboard.NewID(switchboard.PortalLinkPrefix, now),
	}
}

// ask calls the operation with the id, with a body if it needs one.
func (s *system) ask(key madeKey, operation, id string) answer {
	s.t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	var body any
	switch {
	case method == http.MethodPatch:
		body = fields{"version": 1, "name": "taken over"}
	case strings.HasSuffix(path, "/trigger"):
		body = fields{"data": 1}
	case strings.HasSuffix(path, "/cancel"), strings.HasSuffix(path, "/pause"), strings.HasSuffix(path, "/disable"), strings.HasSuffix(path, "/hold"), strings.HasSuffix(path, "/resend"):
		body = fields{"reason": "asked"}
	}
	path = strings.NewReplacer("{id}", id, "{n}", "1").Replace(path)
	if method == http.MethodDelete {
		path += "?reason=asked"
	}
	return s.as(key, method, path, body)
}

// withoutIDs returns the answer without the requested id and without what differs between any two
// answers.
func withoutIDs(a answer, id string) string {
	requestID := a.header.Get("X-Request-Id")
	return fmt.Sprintf("%d %s %s", a.status, a.header.Get("Content-Type"), strings.NewReplacer(id, "ID", requestID, "REQUEST").Replace(string(a.body)))
}

// A tenant's key finds nothing of another tenant in any list, with any filter.
func TestListsShowTheOwnTenantOnly(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	acme, globex := s.populate("acme", r.URL), s.populate("globex", r.URL)
	for _, role := range []string{"admin", "integrator", "support", "viewer"} {
		key := s.newKey(role, "acme")
		for _, list := range []string{"/v1/events?", "/v1/subscriptions?", "/v1/deliveries?", "/v1/operations?", "/v1/keys?"} {
			if list == "/v1/keys?" && role != "admin" {
				continue
			}
			tenants := s.tenantsIn(key, list+"limit=250")
			if !slices.Equal(tenants, []string{"acme"}) {
				t.Errorf("%s lists %s and finds tenants %v, want its own alone", role, list, tenants)
			}
			if list != "/v1/keys?" {
				checkProblem(t, role+" lists "+list+" of another tenant", s.as(key, http.MethodGet, list+"tenant=globex", nil), http.StatusForbidden, "forbidden", "tenant")
			}
		}
		for _, filter := range []string{"subscription=" + globex.subscription, "event=" + globex.ownEvent, "text=" + globex.delivery, "text=order-globex"} {
			if tenants := s.tenantsIn(key, "/v1/deliveries?"+filter); len(tenants) != 0 {
				t.Errorf("%s filters by %s and finds tenants %v, want none", role, filter, tenants)
			}
		}
	}
	key := s.newKey("integrator", "globex") // which shows payloads
	event := as[struct{ Tenant, Data string }](t, s.as(key, http.MethodGet, "/v1/events/"+acme.event, nil))
	if event.Tenant != "globex" || event.Data != "globex" {
		t.Errorf("an id that both tenants use finds %+v for globex", event)
	}
}

// tenantsIn returns the tenants of the entries of a list, without duplicates.
func (s *system) tenantsIn(key madeKey, list string) []string {
	s.t.Helper()
	a := s.as(key, http.MethodGet, list, nil)
	if a.status != http.StatusOK {
		s.t.Fatalf("%s: answered %d %s", list, a.status, a.body)
	}
	page := as[struct{ Data []struct{ Tenant string } }](s.t, a)
	var tenants []string
	for _, entry := range page.Data {
		tenants = append(tenants, entry.Tenant)
	}
	slices.Sort(tenants)
	return slices.Compact(tenants)
}

// A cursor of one tenant's list is useless for another tenant.
func TestCursorsAreTheTenantsOwn(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	s.populate("acme", r.URL)
	s.populate("globex", r.URL)
	cursor := as[struct {
		NextCursor string `json:"next_cursor"`
	}](t, s.as(s.newKey("viewer", "globex"), http.MethodGet, "/v1/deliveries?limit=1", nil)).NextCursor
	if cursor == "" {
		t.Fatal("no second page")
	}
	a := s.as(s.newKey("viewer", "acme"), http.MethodGet, "/v1/deliveries?limit=1&cursor="+cursor, nil)
	checkProblem(t, "another tenant's cursor", a, http.StatusUnprocessableEntity, "invalid", "cursor")
}

// A tenant's key makes nothing for another tenant, whether that exists or not.
func TestNothingIsMadeForAnotherTenant(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 503)
	globex := s.populate("globex", r.URL)
	key := s.newKey("admin", "acme")
	db := s.database()
	before := snapshotOf(t, db)
	for _, tenant := range []string{globex.tenant, "nobody"} {
		for path, body := range map[string]fields{
			"/v1/events":        {"tenant": tenant, "type": "ticket.created", "data": 1},
			"/v1/subscriptions": {"tenant": tenant, "name": "same name", "events": []string{"*"}, "request": fields{"url": r.URL}},
			"/v1/keys":          {"tenant": tenant, "name": "n", "role": "viewer"},
		} {
			checkProblem(t, path, s.as(key, http.MethodPost, path, body), http.StatusForbidden, "forbidden", "tenant")
		}
		a := s.as(key, http.MethodPost, "/v1/events/batch", fields{"events": []fields{{"tenant": tenant, "type": "ticket.created", "data": 1}}})
		results := as[struct {
			Results []struct {
				Status  string
				Problem client.Error
			}
		}](t, a).Results
		if len(results) != 1 || results[0].Status != "error" || results[0].Problem.Code != "forbidden" || results[0].Problem.Field != "tenant" {
			t.Errorf("batch: answered %d %s", a.status, a.body)
		}
	}
	checkProblem(t, "a key for every tenant", s.as(key, http.MethodPost, "/v1/keys", fields{"name": "n", "role": "viewer"}), http.StatusForbidden, "forbidden", "tenant")
	if diff := cmp.Diff(before, snapshotOf(t, db)); diff != "" {
		t.Errorf("something was stored:\n%s", diff)
	}
}

// Each role may do exactly what it is for.
func TestRolesWithRealKeys(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	r := newReceiver(t, 404) // which opens no breaker
	p := s.populate("acme", r.URL)
	// Who may, in addition to admin: p(ublisher), i(ntegrator), b: one that is bound to its tenant,
	// s(upport), v(iewer).
	calls := []struct {
		call, may string
		body      any
	}{
		{"POST /v1/events", "p", fields{"tenant": "acme", "type": "ticket.created", "data": 1}},
		{"POST /v1/events/batch", "p", fields{"events": []fields{{"tenant": "acme", "type": "ticket.created", "data": 1}}}},
		{"GET /v1/events", "pisv", nil},
		{"GET /v1/events/" + p.event, "pisv", nil},
		{"GET /v1/subscriptions", "isv", nil},
		{"GET /v1/subscriptions/" + p.subscription, "isv", nil},
		{"POST /v1/subscriptions/" + p.subscription + "/rotate_secret", "i", nil},
		{"POST /v1/subscriptions/" + p.subscription + "/test", "i", nil},
		{"GET /v1/deliveries", "isv", nil},
		{"GET /v1/deliveries/" + p.delivery, "isv", nil},
		{"POST /v1/deliveries/" + p.delivery + "/retry", "bs", nil},
		{"GET /v1/keys", "", nil},
		{"POST /v1/keys", "", fields{"tenant": "acme", "name": "n", "role": "viewer"}},
	}
	for _, role := range []string{"admin", "publisher", "integrator", "support", "viewer"} {
		for _, tenant := range []string{"", "acme"} {
			key := s.newKey(role, tenant)
			for _, c := range calls {
				method, path, _ := strings.Cut(c.call, " ")
				a := s.as(key, method, path, c.body)
				switch may := role == "admin" || strings.Contains(c.may, role[:1]) || role == "integrator" && tenant != "" && strings.Contains(c.may, "b"); {
				case may && a.status >= 300:
					t.Errorf("%s of %q: %s answered %d %s", role, tenant, c.call, a.status, a.body)
				case !may:
					checkProblem(t, role+", "+c.call, a, http.StatusForbidden, "forbidden", "")
				}
			}
		}
	}
}
