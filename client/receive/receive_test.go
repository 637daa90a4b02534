package receive_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client/receive"
	"github.com/seed-49a43567/switchboard/signing"
)

const (
	older = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	newer = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// signed returns a webhook that Switchboard would send at that time, signed with those secrets.
func signed(t testing.TB, body string, at time.Time, secrets ...string) *http.Request {
	t.Helper()
	var signers []switchboard.SigningSecret
	for _, text := range secrets {
		signers = append(signers, switchboard.SigningSecret{Secret: switchboard.Secret(text)})
	}
	r := httptest.NewRequest("POST", "/hook", strings.NewReader(body))
	if err := signing.Sign(r.Header, switchboard.Signature{Scheme: signing.Standard}, "evt_1", at, []byte(body), signers); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestHandler: only genuine webhooks reach the receiver.
func TestHandler(t *testing.T) {
	t.Parallel()
	now := time.Now()
	with := func(r *http.Request, change func(http.Header)) *http.Request { change(r.Header); return r }
	for _, c := range []struct {
		name    string
		secrets []string
		request *http.Request
		status  int
	}{
		{"genuine", []string{newer}, signed(t, "{}", now, newer), 204},
		{"rotation: it knows the old secret only", []string{older}, signed(t, "{}", now, newer, older), 204},
		{"rotation: it knows the new secret already", []string{newer, older}, signed(t, "{}", now, older), 204},
		{"rotation: both", []string{older, newer}, signed(t, "{}", now, newer, older), 204},
		{"after the rotation", []string{older}, signed(t, "{}", now, newer), 401},
		{"as long as may be", []string{newer}, signed(t, strings.Repeat("x", 64), now, newer), 204},
		{"too long", []string{newer}, signed(t, strings.Repeat("x", 65), now, newer), 413},
		{"too old", []string{newer}, signed(t, "{}", now.Add(-6*time.Minute), newer), 401},
		{"from the future", []string{newer}, signed(t, "{}", now.Add(6*time.Minute), newer), 401},
		{"without a signature", []string{newer}, with(signed(t, "{}", now, newer), func(h http.Header) { h.Del("webhook-signature") }), 401},
		{"with another id", []string{newer}, with(signed(t, "{}", now, newer), func(h http.Header) { h.Set("webhook-id", "evt_2") }), 401},
		{"with another time", []string{newer}, with(signed(t, "{}", now, newer), func(h http.Header) { h.Set("webhook-timestamp", "1") }), 401},
		{"signed with no key", []string{newer}, signed(t, "{}", now, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), 401},
	} {
		v, err := receive.New(receive.Config{Secrets: c.secrets, MaxBody: 64})
		if err != nil {
			t.Fatal(err)
		}
		reached := false
		w := httptest.NewRecorder()
		v.Handler(func(w http.ResponseWriter, _ *http.Request, m receive.Message) {
			reached = m.ID == "evt_1" && len(m.Body) > 0
			w.WriteHeader(http.StatusNoContent)
		}).ServeHTTP(w, c.request)
		if w.Code != c.status || reached != (c.status == 204) {
			t.Errorf("%s: %d %s, reached: %t", c.name, w.Code, w.Body, reached)
		}
		if strings.Contains(w.Body.String(), "v1,") || strings.Contains(w.Body.String(), "whsec") {
			t.Errorf("%s: the answer shows what would be right: %s", c.name, w.Body)
		}
	}
}

// TestSecrets: a secret with which anybody could sign is refused, and no error shows a secret.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{nil, {""}, {"whsec_"}, {newer, ""}, {"whsec_not-base64!"}, {"sbk_hunter2hunter2"}} {
		_, err := receive.New(receive.Config{Secrets: secrets})
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "not-base64") {
			t.Errorf("%q: %v", secrets, err)
		}
	}
}

// TestVerify: the bytes count, not their meaning.
func TestVerify(t *testing.T) {
	t.Parallel()
	v, err := receive.New(receive.Config{Secrets: []string{newer}})
	if err != nil {
		t.Fatal(err)
	}
	r := signed(t, "{}", time.Now(), newer)
	if err := v.Verify(r.Header, []byte("{}")); err != nil {
		t.Error(err)
	}
	if err := v.Verify(r.Header, []byte("{} ")); err == nil {
		t.Error("a changed body is genuine")
	}
}
