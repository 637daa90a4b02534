package api

import (
	"context"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// DeliveryFacets fails if a test wants it to take too long.
func (f *fakeStore) DeliveryFacets(ctx context.Context, caller switchboard.Caller, filter switchboard.DeliveryFilter, by []switchboard.Facet) (switchboard.Facets, bool, error) {
	if err := f.enter("DeliveryFacets"); err != nil {
		return switchboard.Facets{}, false, nil //nolint:nilerr // not known in time
	}
	return f.Store.DeliveryFacets(ctx, caller, filter, by)
}

// TestSearchAndCounts: the exact answers, each only for the caller's tenant.
func TestSearchAndCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for call, want := range map[string]string{
		"/v1/search?q=evt_acme": `{"data":[{"kind":"event","id":"evt_acme","tenant":"acme","text":"ticket.created","exact":true}]}`,
		"/v1/search?q=glob":     `{"data":[]}`,
		"/v1/search?q=CRM": `{"data":[{"kind":"subscription","id":"sub_acme","tenant":"acme","text":"CRM","exact":true},` +
			`{"kind":"host","tenant":"acme","text":"crm.example.com","exact":false}]}`,
		"/v1/deliveries/facets": `{"matches":{"value":1,"more":false},"facets":{"failure":[{"value":"http_5xx","count":1}],"host":[{"value":"crm.example.com","count":1}],` +
			`"state":[{"value":"retrying","count":1}],"subscription":[{"value":"sub_acme","count":1}]}}`,
		"/v1/deliveries/facets?by=tenant&state=failed,held": `{"matches":{"value":0,"more":false},"facets":{"tenant":[]}}`,
	} {
		got := b.call(t, acmeViewerKey, "GET", call, nil)
		got.want(t, http.StatusOK)
		if diff := cmp.Diff(want+"\n", string(b.named(got.body))); diff != "" {
			t.Errorf("%s: %s", call, diff)
		}
	}
	counted := b.call(t, viewerKey, "GET", "/v1/deliveries?count=true&limit=1", nil).want(t, http.StatusOK)
	if diff := cmp.Diff(map[string]any{"value": 2.0, "more": false}, counted["count"]); diff != "" {
		t.Error(diff)
	}
	if _, there := b.call(t, viewerKey, "GET", "/v1/deliveries", nil).want(t, http.StatusOK)["count"]; there {
		t.Error("counted without being asked for")
	}
}
