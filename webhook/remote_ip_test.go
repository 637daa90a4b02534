package webhook

import (
	"crypto/sha256"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// TestRemoteIPIsWhatWasDialled: on a new connection, on a reused one, and without one. It is never
// an address that was refused, or that of the egress proxy.
func TestRemoteIPIsWhatWasDialled(t *testing.T) {
	t.Parallel()
	s, url := setup(t, nil), newRecorder(t).url
	_, closed := bound(t)
	for _, c := range []struct {
		name, url, want string
		failure         switchboard.Failure
	}{
		{"new connection", url, "127.0.0.1", ""},
		{"kept connection", url, "127.0.0.1", ""},
		{"nobody listens", "http://" + closed + "/", "127.0.0.1", switchboard.FailureConnectRefused},
		{"forbidden", "http://10.0.0.1/", "", switchboard.FailureForbidden},
	} {
		if o := send(t, s, c.url, plenty); o.RemoteIP != c.want || o.Failure != c.failure {
			t.Errorf("%s: %q, %s", c.name, o.RemoteIP, o.Failure)
		}
	}
	proxied := behind(t, serveProxy(t, &egressProxy{}, ""), nil)
	if o := send(t, proxied, named(url)+"/", plenty); o.StatusCode != 200 || o.RemoteIP != "" {
		t.Errorf("through the proxy: %+v", o)
	}
}

// TestSentRequestHasTheDigestOfItsBody: of the bytes that the receiver got.
func TestSentRequestHasTheDigestOfItsBody(t *testing.T) {
	t.Parallel()
	s, r := setup(t, nil), newRecorder(t)
	w := work(r.url)
	sent, outcome, err := s.Attempt(t.Context(), w, time.Now(), plenty)
	if err != nil || outcome.StatusCode != 200 {
		t.Fatal(outcome, err)
	}
	preview, err := s.Preview(w, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(preview.Body)
	if len(preview.Body) == 0 || !slices.Equal(sent.SHA256, sum[:]) {
		t.Errorf("%x, and the body's is %x", sent.SHA256, sum)
	}
}
