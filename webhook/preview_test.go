package webhook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// contacts is a platform with one use case.
type contacts struct{}

func (contacts) UseCase(name string) (switchboard.UseCase, bool) {
	return switchboard.UseCase{Name: "contact", Entity: "contact", Reads: []string{"contact"}}, name == "contact"
}

func (contacts) VendorName(string, string) string { return "" }

func TestPreview(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *Config) { c.Platforms = contacts{} })
	w := withParams("https://api.example.com/users", "POST", "application/json", `{"height":"{{ czCol.15 }}"}`)
	w.Event.Data = []byte(`{"contact":{"id":12345678901234567890,"czCol":{"15":"172"}},"ticket":{"id":7}}`)
	w.Subscription.UseCase = "contact"
	w.Subscription.Request.URL += "/{{ contact.id }}"
	w.Subscription.Request.Headers = map[string]string{"X-Api-Key": "s3cret-{{ contact.id }}", "X-Contact": "{{ contact.id }}"}
	now := time.Unix(1700000000, 0)
	got, err := s.Preview(w, now)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Prepare(w, now)
	if err != nil {
		t.Fatal(err)
	}
	want := Preview{
		Method: "POST", URL: "https://api.example.com/users/12345678901234567890", Headers: m.Sent().Headers, Body: []byte(`{"height":"172"}`),
		Warnings: []string{"request.params.height: {{ czCol.15 }} is a custom field without its prefix, a form that may be given up: write contact.czCol.15"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
	if got.Headers["X-Contact"] != "12345678901234567890" || got.Headers["X-Api-Key"] != switchboard.Mask || got.Headers["Webhook-Signature"] == "" {
		t.Errorf("headers %v", got.Headers)
	}
	if strings.Contains(fmt.Sprint(got), "s3cret") {
		t.Error("the preview shows a secret")
	}
	w.Subscription.Request.Params = json.RawMessage(`{"a":"{{ ticket.id }}"}`)
	if _, err := s.Preview(w, now); switchboard.CodeOf(err) != switchboard.CodeInvalid {
		t.Errorf("%v; want it to be invalid", err)
	}
}
