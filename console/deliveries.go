package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) deliveriesRoutes() []route {
	return []route{{"GET /console/deliveries", readers, c.deliveries}}
}

// deliveriesPage is the list of deliveries.
type deliveriesPage struct {
	Form   deliveryForm
	Faults []fieldFault
	Chips  []filterChip

	Count     *switchboard.Count // number of matches; nil: not counted
	Rows      []deliveryRow
	Live      string             // address of these rows in their later state; empty: no rows
	Newer     *switchboard.Count // number of deliveries newer than the rows; nil: none
	NewerLink string             // the list with them
	Pager     pager

	Facets     *facetsView // nil: loaded after the page
	FacetsLink string      // counts them together with the page
	FacetsPart string      // counts only them

	Permanent string // the same list with times instead of a period
	ActOnAll  string // plans an operation on all matches; empty: this person may not

	Nothing *emptyState // why there are no rows; nil: there are rows
}

// deliveries is the list.
func (c *Console) deliveries(v *visit) (answer, error) {
	values := v.request.URL.Query()
	r := readQuery(values)
	q := readDeliveryQuery(r, v.session.Caller.Tenant)
	if err := v.checkQuery(r.known...); err != nil {
		return answer{}, err
	}
	data := deliveriesPage{Form: deliveryFormOf(values, &q), Chips: q.chips(), Faults: r.faults}
	if len(r.faults) > 0 {
		return deliveryListAnswer(&data), nil
	}
	if isUntidy(values) {
		return redirect(linkDeliveryList(q)), nil
	}
	var err error
	switch ctx := v.request.Context(); {
	case len(q.shown) > 0 || !q.newer.IsZero():
		err = data.readAgain(ctx, v, &q)
	case values.Get(partParameter) == "facets":
		err = data.countFacets(ctx, v, &q)
	default:
		err = data.read(ctx, v, &q)
	}
	if faults := queryFaults(err); len(faults) > 0 {
		data.Faults, err = faults, nil
	}
	return deliveryListAnswer(&data), err
}

func deliveryListAnswer(data *deliveriesPage) answer {
	shown := page("deliveries", "Deliveries", data)
	if len(data.Faults) > 0 {
		return shown.status(http.StatusUnprocessableEntity)
	}
	return shown
}

// read fills the page with the API's list.
func (p *deliveriesPage) read(ctx context.Context, v *visit, q *deliveryQuery) error {
	found, err := v.api.ListDeliveries(ctx, q.asked(v.now), switchboard.PageRequest{Cursor: q.cursor, Count: true})
	if err != nil {
		return err
	}
	p.fill(q, &found, v.now, operators.includes(&v.session))
	if p.Nothing != nil && p.Nothing.Kind == kindNoMatch && q.cursor == "" {
		one, err := v.api.ListDeliveries(ctx, switchboard.DeliveryFilter{}, switchboard.PageRequest{Limit: 1})
		if err != nil {
			return err
		}
		if len(one.Items) == 0 {
			p.Nothing = noEventsYet()
		}
	}
	if q.facet {
		return p.countFacets(ctx, v, q)
	}
	return nil
}

// fill makes the page from the API's list.
func (p *deliveriesPage) fill(q *deliveryQuery, found *switchboard.Page[client.Delivery], now time.Time, mayAct bool) {
	p.Rows, p.Count, p.NewerLink = deliveryRows(found.Items), found.Count, linkDeliveryList(q.first())
	// A cursor fits only one filter, so a page with a cursor has a time instead of a period.
	fixed := deliveryQuery{filter: q.asked(now), last: q.last, tenant: q.tenant}
	if found.NextCursor != "" {
		older := fixed
		older.cursor = found.NextCursor
		p.Pager.Older = linkDeliveryList(older)
	}
	if q.cursor != "" {
		p.Pager.First = linkDeliveryList(q.first())
	}
	if !found.SearchedTo.IsZero() {
		p.Pager.SearchedTo = found.SearchedTo
	}
	live, since := *q, now
	live.shown = make([]string, len(found.Items))
	for i := range found.Items {
		live.shown[i] = found.Items[i].ID
	}
	if len(found.Items) > 0 { // the first row need not be the newest: ids are in any order within a millisecond
		newest := slices.MaxFunc(found.Items, func(a, b client.Delivery) int { return a.CreatedAt.Compare(b.CreatedAt) })
		since = newest.CreatedAt.Add(time.Microsecond)
	}
	if live.newer = since; q.cursor != "" || !q.filter.Before.IsZero() {
		live.newer = time.Time{} // newer deliveries are not requested
	}
	if len(live.shown) > 0 || !live.newer.IsZero() {
		p.Live = linkDeliveryPart(live, "")
	}
	counted := *q
	counted.facet = true
	p.FacetsLink, p.FacetsPart = linkDeliveryPart(counted, ""), linkDeliveryPart(*q, "facets")
	p.Permanent = linkDeliveryList(q.absolute(now))
	if mayAct {
		p.tick(fixed.filter)
	}
	switch {
	case len(p.Rows) > 0:
	case !found.SearchedTo.IsZero():
		p.Nothing = &emptyState{Kind: kindSearched, Text: "No match yet: the list was not searched to its end.", More: filterChip{"Go on", p.Pager.Older}}
	default:
		p.Nothing = &emptyState{Kind: kindNoMatch, Text: "No delivery matches.", Chips: p.Chips, Wider: q.wider()}
	}
}

// The kinds of an empty list.
const (
	kindNoneYet  = "none"
	kindNoMatch  = "match"
	kindSearched = "searched"
)

// noEventsYet is what lists show before the first event.
func noEventsYet() *emptyState {
	return &emptyState{
		Kind: kindNoneYet, Text: "No event was accepted yet. Post one:",
		Curl: `curl "$SWITCHBOARD_URL/v1/events" -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' ` +
			`-d '{"tenant": "acme", "type": "ticket.created", "data": {"id": 1}}'`,
	}
}

// wider leads to the same list over the next longer period.
func (q *deliveryQuery) wider() filterChip {
	next, found := nextPeriod(q.period())
	if !found {
		return filterChip{}
	}
	longer := q.first()
	longer.last = next.Name
	return filterChip{"look in " + next.Label, linkDeliveryList(longer)}
}

// tick makes the rows selectable, and offers to act on them or on all matches.
func (p *deliveriesPage) tick(f switchboard.DeliveryFilter) {
	p.ActOnAll = linkSelectionPlan("", selectionOf(f))
	for i := range p.Rows {
		p.Rows[i].Tick = true
	}
}

// readAgain reads the shown rows in their current state, and counts newer deliveries. So no row
// appears or moves while somebody reads.
func (p *deliveriesPage) readAgain(ctx context.Context, v *visit, q *deliveryQuery) error {
	if len(q.shown) > 0 {
		found, err := v.api.ListDeliveries(ctx, switchboard.DeliveryFilter{IDs: q.shown}, switchboard.PageRequest{Limit: switchboard.MaxPage})
		if err != nil {
			return err
		}
		p.Rows = deliveryRows(found.Items)
	}
	p.Live, p.NewerLink = linkDeliveryPart(*q, ""), linkDeliveryList(q.first())
	if operators.includes(&v.session) {
		p.tick(q.asked(v.now))
	}
	if q.newer.IsZero() {
		return nil
	}
	f := q.asked(v.now)
	f.After = q.newer
	found, err := v.api.ListDeliveries(ctx, f, switchboard.PageRequest{Limit: 1, Count: true})
	if err == nil && found.Count != nil && found.Count.Value > 0 {
		p.Newer = found.Count
	}
	return err
}

// queryFaults returns the faults of a query that the API found; nil: another error.
func queryFaults(err error) []fieldFault {
	problem, ok := errors.AsType[*client.Error](err)
	if !ok || problem.Status != http.StatusUnprocessableEntity || problem.Field == "" {
		return nil
	}
	return []fieldFault{{strings.TrimPrefix(problem.Field, "filter."), problem.Detail}}
}

// deliveryForm is the form of the list: what it offers, and what is typed or selected.
type deliveryForm struct {
	Text     map[string]string
	States   []option
	Failures []option
	Periods  []option
	Default  string // the period if none is chosen
	Stuck    bool
	IDs      []string
	Set      int // number of conditions that are set
}

// option is a value that a form offers.
type option struct {
	Value, Label string
	Chosen       bool
}

// deliveryFormOf returns the form for a query, with the typed values.
func deliveryFormOf(values map[string][]string, q *deliveryQuery) deliveryForm {
	form := deliveryForm{Text: map[string]string{}, Stuck: q.filter.Stuck, IDs: q.filter.IDs}
	for _, name := range []string{"tenant", "subscription", "event", "event_type", "status_code", "host", "after", "before", "text"} {
		form.Text[name] = strings.Join(values[name], " ")
	}
	for _, state := range switchboard.States() {
		form.States = append(form.States, option{string(state), string(state), slices.Contains(q.filter.States, state)})
	}
	for _, failure := range switchboard.Failures() {
		form.Failures = append(form.Failures, option{string(failure), reasonWords(string(failure)), q.filter.Failure == failure})
	}
	form.Periods, form.Default = periodOptions(q.last), defaultPeriod(&deliveryQuery{filter: q.filter, tenant: q.tenant})
	form.Set = len(q.chips())
	return form
}

// facetsView shows the most frequent values in the newest matches.
type facetsView struct {
	Known  bool               // false: they could not be counted in time
	Among  *switchboard.Count // number of deliveries that were counted
	Groups []facetGroup
}

type facetGroup struct {
	Name   string
	Values []facetLink
}

// facetLink is a value, with a link to the list that it narrows to.
type facetLink struct {
	Text, Link string
	Count      int
}

// facetsShown is how many values of a facet are links.
const facetsShown = 8

func (p *deliveriesPage) countFacets(ctx context.Context, v *visit, q *deliveryQuery) error {
	by := []switchboard.Facet{switchboard.FacetState, switchboard.FacetFailure, switchboard.FacetHost, switchboard.FacetTenant}
	if q.tenant != "" || q.filter.Tenant != "" {
		by[3] = switchboard.FacetEventType
	}
	found, err := v.api.CountFacets(ctx, q.asked(v.now), by...)
	if err != nil {
		return err
	}
	p.Facets = facetsOf(q, &found, by)
	return nil
}

// facetsOf turns the values into links. It omits a facet with one value, which would narrow
// nothing.
func facetsOf(q *deliveryQuery, found *client.Facets, by []switchboard.Facet) *facetsView {
	view := &facetsView{Known: found.Matches != nil}
	if !view.Known {
		return view
	}
	view.Among = found.Matches
	for _, facet := range by {
		values := found.Values[facet]
		if len(values) < 2 {
			continue
		}
		group := facetGroup{Name: strings.ReplaceAll(string(facet), "_", " ")}
		for _, value := range values[:min(len(values), facetsShown)] {
			text := value.Value
			if facet == switchboard.FacetFailure {
				text = reasonWords(text)
			}
			group.Values = append(group.Values, facetLink{text, linkDeliveryList(q.with(facet, value.Value)), value.Count})
		}
		view.Groups = append(view.Groups, group)
	}
	return view
}
