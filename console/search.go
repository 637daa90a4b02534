package console

import (
	"net/http"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

func (c *Console) searchRoutes() []route {
	return []route{{"GET /console/search", readers, c.search}}
}

// searchPage shows the results of a search, by kind.
type searchPage struct {
	Text   string
	Groups []hitGroup
	Faults []fieldFault
}

type hitGroup struct {
	Kind string
	Hits []hit
}

// hit is one result.
type hit struct {
	Link   string
	ID     string // empty: no id
	Text   string
	Tenant string
	Exact  bool
}

// search leads to the only result, or lists all results.
func (c *Console) search(v *visit) (answer, error) {
	if err := v.checkQuery("q"); err != nil {
		return answer{}, err
	}
	data := searchPage{Text: strings.TrimSpace(v.request.URL.Query().Get("q"))}
	shown := page("search", "Search", &data)
	if data.Text == "" {
		return shown, nil
	}
	found, err := v.api.Search(v.request.Context(), data.Text)
	if faults := queryFaults(err); len(faults) > 0 {
		data.Faults = faults
		return shown.status(http.StatusUnprocessableEntity), nil
	}
	if err != nil {
		return answer{}, err
	}
	data.Groups = hitGroups(found, operators.includes(&v.session))
	if len(data.Groups) == 1 && len(data.Groups[0].Hits) == 1 {
		return redirect(data.Groups[0].Hits[0].Link), nil
	}
	return shown, nil
}

// hitGroups groups the results by kind. It omits operations for people who cannot open them.
func hitGroups(found []switchboard.SearchHit, withOperations bool) []hitGroup {
	var groups []hitGroup
	for _, kind := range switchboard.SearchKinds() {
		group := hitGroup{Kind: kindWords(kind)}
		for i := range found {
			if found[i].Kind == kind && (kind != switchboard.HitOperation || withOperations) {
				h := &found[i]
				group.Hits = append(group.Hits, hit{linkHit(h), h.ID, h.Text, h.Tenant, h.Exact})
			}
		}
		if len(group.Hits) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

func kindWords(kind switchboard.SearchKind) string {
	switch kind {
	case switchboard.HitDelivery:
		return "Deliveries"
	case switchboard.HitEvent:
		return "Events"
	case switchboard.HitSubscription:
		return "Subscriptions"
	case switchboard.HitOperation:
		return "Operations"
	case switchboard.HitEventKey:
		return "Events with the key"
	case switchboard.HitTenant:
		return "Deliveries of the tenant"
	case switchboard.HitHost:
		return "Deliveries to the host"
	}
	return string(kind)
}

// linkHit leads to the page of a result: its own, or the list that it narrows.
func linkHit(h *switchboard.SearchHit) string {
	switch h.Kind {
	case switchboard.HitDelivery:
		return linkDelivery(h.ID)
	case switchboard.HitEvent:
		return linkEvent(h.ID, h.Tenant)
	case switchboard.HitSubscription:
		return linkSubscription(h.ID)
	case switchboard.HitOperation:
		return linkOperation(h.ID)
	case switchboard.HitEventKey:
		return linkEventList(eventQuery{filter: switchboard.EventFilter{Tenant: h.Tenant, Key: h.Text}})
	case switchboard.HitTenant:
		return linkDeliveryList(deliveryQuery{filter: switchboard.DeliveryFilter{Tenant: h.Text}})
	case switchboard.HitHost:
		return linkDeliveryList(deliveryQuery{filter: switchboard.DeliveryFilter{Tenant: h.Tenant, Host: h.Text}})
	}
	return linkSearch(h.Text)
}
