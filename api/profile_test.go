package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

// TestEveryProfile makes a subscription from each platform's profile and a URL.
func TestEveryProfile(t *testing.T) {
	t.Parallel()
	base, err := loadCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	platforms := base.Platforms()
	if len(platforms) < 5 {
		t.Errorf("%d platforms", len(platforms))
	}
	for _, p := range platforms {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			request := `"url":"https://example.com/"`
			if strings.Contains(string(p.Profile), `"params"`) {
				request += `,"params":{"id":"{{ contact.id }}"}`
			}
			got := b.call(t, integratorKey, "POST", "/v1/subscriptions",
				`{"tenant":"acme","name":"n","events":["*"],"profile":"`+strings.ToUpper(p.Name)+`","request":{`+request+`}}`).want(t, http.StatusCreated)
			if got["profile"] != p.Name {
				t.Errorf("profile %v", got["profile"])
			}
			var profile map[string]any
			if err := json.Unmarshal(p.Profile, &profile); err != nil {
				t.Fatal(err)
			}
			within(t, "", profile, got)
		})
	}
}

// within fails the test unless got contains want.
func within(t *testing.T, path string, want, got map[string]any) {
	t.Helper()
	for name, value := range want {
		if nested, ok := value.(map[string]any); ok {
			inner, _ := got[name].(map[string]any)
			within(t, path+name+".", nested, inner)
			continue
		}
		if diff := cmp.Diff(value, got[name]); diff != "" {
			t.Errorf("%s%s: %s", path, name, diff)
		}
	}
}

// TestProfileAndGiven: given members replace those of the profile, one by one.
func TestProfileAndGiven(t *testing.T) {
	t.Parallel()
	standard := switchboard.Signature{Scheme: signing.Standard}
	signalzen := switchboard.Signature{Scheme: signing.HMACHex, Header: "x-signalzen-signature"}
	envelope := &switchboard.EnvelopeFields{Type: "event_type", Data: "data"}
	load := switchboard.Adaptive{Enabled: true, MinimumTimeout: switchboard.Duration(5 * time.Second), MaxIntervalFactor: 2, MinimumAttempts: 38}
	type made struct {
		Envelope  *switchboard.EnvelopeFields
		Signature switchboard.Signature
		Verify    switchboard.Verification
		Adaptive  switchboard.Adaptive
	}
	cases := map[string]struct {
		fields, request string
		want            made
	}{
		"no profile":         {``, ``, made{nil, standard, switchboard.VerificationNone, load}},
		"nothing given":      {`"profile":"signalzen",`, ``, made{envelope, signalzen, switchboard.VerificationChallenge, load}},
		"null given":         {`"profile":"signalzen","signature":null,`, `,"envelope":null`, made{nil, standard, switchboard.VerificationChallenge, load}},
		"another prefix":     {`"profile":"signalzen","signature":{"prefix":"v1="},`, ``, made{envelope, switchboard.Signature{Scheme: signing.HMACHex, Header: "x-signalzen-signature", Prefix: "v1="}, switchboard.VerificationChallenge, load}},
		"another scheme":     {`"profile":"signalzen","signature":{"scheme":"standard"},"verification":"none",`, ``, made{envelope, standard, switchboard.VerificationNone, load}},
		"a part of envelope": {`"profile":"signalzen",`, `,"envelope":{"id":"event_id","data":""}`, made{&switchboard.EnvelopeFields{ID: "event_id", Type: "event_type"}, signalzen, switchboard.VerificationChallenge, load}},
		"another body":       {`"profile":"signalzen",`, `,"body":"data"`, made{nil, signalzen, switchboard.VerificationChallenge, load}},
		"a fixed timeout":    {`"profile":"firstline","timeout":"3s",`, `,"params":{}`, made{nil, standard, switchboard.VerificationNone, switchboard.Adaptive{}}},
		"one bound": {`"profile":"firstline","adaptive":{"minimum_attempts":2},`, `,"params":{}`, made{nil, standard, switchboard.VerificationNone,
			switchboard.Adaptive{Enabled: true, MinimumTimeout: switchboard.Duration(5 * time.Second), MaxIntervalFactor: 2, MinimumAttempts: 2}}},
		"limits below its bounds": {`"profile":"firstline","retry":{"maximum_attempts":2},"timeout":"4s","adaptive":{"enabled":true},`, `,"params":{}`, made{nil, standard, switchboard.VerificationNone,
			switchboard.Adaptive{Enabled: true, MinimumTimeout: switchboard.Duration(4 * time.Second), MaxIntervalFactor: 2, MinimumAttempts: 2}}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.call(t, integratorKey, "POST", "/v1/subscriptions",
				`{"tenant":"acme",`+c.fields+`"name":"n","events":["*"],"request":{"url":"https://example.com/"`+c.request+`}}`).want(t, http.StatusCreated)
			s := b.subscription(t, "sub_new")
			if diff := cmp.Diff(c.want, made{s.Request.Envelope, s.Signature, s.Verification, s.Adaptive}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestUseCase: a use case is stored with the catalogue's own name.
func TestUseCase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for given, want := range map[string]any{`"Contact"`: "contact", `""`: nil, `null`: nil} {
		got := b.call(t, integratorKey, "POST", "/v1/subscriptions", b.numbered(newSubscriptionWith(okRequest+`,"use_case":`+given))).want(t, http.StatusCreated)
		if got["use_case"] != want {
			t.Errorf("%s: %v", given, got["use_case"])
		}
	}
}

// TestSameUseCase: another name for the subscription's current use case is not a change.
func TestSameUseCase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.call(t, integratorKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,"use_case":"conversation"`)).want(t, http.StatusCreated)
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"use_case":"Conversation record"}`).want(t, http.StatusOK)
	b.call(t, integratorKey, "PATCH", "/v1/subscriptions/sub_new", `{"version":1,"use_case":"Ticket"}`).
		wantProblem(t, http.StatusUnprocessableEntity, switchboard.CodeInvalid, "use_case")
}

// TestUnusableProfile: it is our own fault, which callers cannot repair.
func TestUnusableProfile(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Catalogue = badCatalogue{c.Catalogue} })
	b.call(t, adminKey, "POST", "/v1/subscriptions", newSubscriptionWith(okRequest+`,"profile":"bad"`)).
		wantProblem(t, http.StatusInternalServerError, switchboard.CodeInternal, "")
	if b.stored(t) {
		t.Error("something was stored")
	}
}

// badCatalogue has a platform whose profile is misspelt.
type badCatalogue struct{ Catalogue }

func (badCatalogue) Platforms() []switchboard.Platform {
	return []switchboard.Platform{{Name: "bad", Profile: json.RawMessage(`{"request":{"bdoy":"data"}}`)}}
}
