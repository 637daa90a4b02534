package console

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// subscriptionPage is one subscription.
type subscriptionPage struct {
	Sub       client.Subscription
	Standing  standing
	Health    healthLine
	Actions   []actionButton
	Links     []filterChip // to lists of its deliveries
	Ranges    []rangeLink
	Chart     *chart
	Traffic   *problem // the chart could not be read
	CountedTo time.Time
	Tabs      []rangeLink
	Tab       string

	Recent   read[[]client.Delivery]
	Rows     []deliveryRow // of Recent
	Groups   read[client.Facets]
	Failures []facetChoice
	Hosts    []facetChoice
	Settings []settingsSection
	Snippets snippetTab
	Changes  read[[]changeRow]
	More     string // older changes
}

// standing says in words why a subscription is not sent to as usual.
type standing struct {
	Paused  bool // by a person, or by us; the subscription says since when, by whom and why
	Breaker *client.EndpointHealth
	Wait    *time.Time // the receiver asked for no requests until then
	Queue   string
	Slow    bool
	Release *client.RunningRelease
	Healthy bool
}

// standingOf describes the state of the subscription and of its endpoint.
func standingOf(sub *client.Subscription, now time.Time) standing {
	s := standing{Paused: sub.State != switchboard.SubscriptionActive}
	if h := sub.Health; h != nil {
		if h.Breaker != switchboard.BreakerClosed {
			s.Breaker = h
		}
		if h.DeferredUntil != nil && h.DeferredUntil.After(now) {
			s.Wait = h.DeferredUntil
		}
		s.Queue, s.Slow, s.Release = strings.ReplaceAll(h.Queue, "_", " "), h.Slow, h.Release
	}
	s.Healthy = !s.Paused && s.Breaker == nil && s.Wait == nil && s.Queue == "" && !s.Slow
	return s
}

// healthLine says how sending goes.
type healthLine struct {
	Attempts  int64
	Share     string
	P95       int
	Delivered *time.Time // the last time
	ByTheHour bool       // it is only exact to the hour
	Open      *switchboard.Count
	Held      *switchboard.Count // nil: none
	Oldest    *time.Time         // when the oldest of them was held
}

// healthLineOf takes the time of the last delivery from the recent deliveries if one of them was
// delivered, because those times are exact.
func healthLineOf(sub *client.Subscription, recent []client.Delivery) healthLine {
	var line healthLine
	if a := sub.Activity; a != nil {
		line.Attempts, line.P95, line.Open, line.Delivered, line.ByTheHour = a.Attempts.Attempts, a.Attempts.P95, &a.Open, a.DeliveredHour, true
		line.Share = percent(a.Attempts.Succeeded, a.Attempts.Attempts)
	}
	for _, d := range recent {
		if d.State == switchboard.StateDelivered && d.CompletedAt != nil && (line.ByTheHour || line.Delivered == nil || d.CompletedAt.After(*line.Delivered)) {
			line.Delivered, line.ByTheHour = d.CompletedAt, false
		}
	}
	if h := sub.Health; h != nil && h.Held.Count > 0 {
		line.Held, line.Oldest = &switchboard.Count{Value: h.Held.Count, More: h.Held.More}, h.Held.Since
	}
	return line
}

// subscriptionButtons are the actions that the person may take, in the order of the page. Those
// that do not apply now say why.
func subscriptionButtons(sub *client.Subscription, s *switchboard.Session) []actionButton {
	var buttons []actionButton
	for _, b := range []struct {
		text, action string
		who          who
	}{
		{"Send test…", "test", editors}, {"Preview…", "preview", editors | supporters}, {"Try a match…", "match", editors | supporters},
		{"Pause…", "pause", editors | supporters}, {"Resume…", "resume", editors | supporters}, {"Verify…", "verify", editors},
		{"Disable…", "disable", editors}, {"Enable…", "enable", editors}, {"Rotate secret…", "rotate", editors}, {"Edit", "edit", editors}, {"Delete…", "delete", editors},
	} {
		if !b.who.includes(s) {
			continue
		}
		refused := refusal(sub, b.action)
		if refused != "" && slices.Contains([]string{"resume", "enable", "verify"}, b.action) {
			continue // there is nothing to undo
		}
		buttons = append(buttons, actionButton{Text: b.text, Address: linkSubscriptionAction(sub.ID, b.action), Allowed: refused == "", WhyNot: refused, Danger: b.action == "delete"})
	}
	return buttons
}

// subscriptionTabs are the tabs of the page.
func subscriptionTabs() []rangeLink {
	return []rangeLink{{Text: "Recent", Address: "recent"}, {Text: "Failing", Address: "failing"}, {Text: "Settings", Address: "settings"}, {Text: "Signature", Address: "signature"}, {Text: "Changes", Address: "changes"}}
}

// facetChoice is a value that several deliveries have, and a link to the list of them.
type facetChoice struct {
	switchboard.FacetValue
	Address string
}

const (
	shownRecent  = 20
	shownChanges = 50
	shownMarks   = 20
)

// subscription shows one subscription.
func (c *Console) subscription(v *visit) (answer, error) {
	if err := v.checkQuery("tab", "last", "cursor"); err != nil {
		return answer{}, err
	}
	query := v.request.URL.Query()
	last, err := subscriptionRange(query.Get("last"))
	if err != nil {
		return answer{}, err
	}
	tab := cmp.Or(query.Get("tab"), "recent")
	if !slices.ContainsFunc(subscriptionTabs(), func(t rangeLink) bool { return t.Address == tab }) {
		return answer{}, switchboard.InvalidField("tab", "must be recent, failing, settings, signature or changes")
	}
	sub, err := v.api.GetSubscription(v.request.Context(), v.path("id"), client.IncludeHealth)
	if err != nil {
		return answer{}, err
	}
	p := subscriptionPage{Sub: sub, Tab: tab}
	v.readSubscription(&p, last, query.Get("cursor"))
	p.Rows = deliveryRows(p.Recent.Value)
	p.Standing, p.Health = standingOf(&sub, v.now), healthLineOf(&sub, p.Recent.Value)
	p.Actions = subscriptionButtons(&sub, &v.session)
	for _, t := range subscriptionTabs() {
		p.Tabs = append(p.Tabs, rangeLink{t.Text, linkSubscriptionTab(sub.ID, t.Address, query.Get("last")), t.Address == tab})
	}
	for _, r := range overviewRanges()[1:] {
		p.Ranges = append(p.Ranges, rangeLink{r.Text, linkSubscriptionTab(sub.ID, tab, r.Name), r.Name == last.Name})
	}
	p.Links = deliveryLinks(sub.ID)
	switch tab {
	case "settings":
		p.Settings, err = settingsOf(&sub)
	case "signature":
		p.Snippets, err = snippetsOf(&sub)
	}
	return page("subscription", sub.Name, p).withCharts(), err
}

// deliveryLinks lead to lists of deliveries of the subscription.
func deliveryLinks(id string) []filterChip {
	list := func(text string, states ...switchboard.State) filterChip {
		last := "all"
		if len(states) == 0 {
			last = "24h"
		}
		return filterChip{text, linkDeliveries(switchboard.DeliveryFilter{Subscription: id, States: states}, last)}
	}
	return []filterChip{list("All deliveries"), list("Open", openStates()...), list("Held", switchboard.StateHeld), list("Failed", switchboard.StateFailed)}
}

// subscriptionRange is the period of the chart, in whole hours.
func subscriptionRange(asked string) (timeRange, error) {
	if asked == "1h" {
		return timeRange{}, switchboard.InvalidField("last", "must be 24h, 7d or 30d")
	}
	return overviewRange(asked)
}

// readSubscription requests, all at once, what the page or its requested part needs.
func (v *visit) readSubscription(p *subscriptionPage, last timeRange, cursor string) {
	var group sync.WaitGroup
	var traffic read[switchboard.Traffic]
	var marks read[switchboard.Page[switchboard.AuditEntry]]
	var changes read[switchboard.Page[switchboard.AuditEntry]]
	ctx, id, from := v.request.Context(), p.Sub.ID, v.now.UTC().Add(-last.length).Truncate(time.Hour)
	of := func(states ...switchboard.State) switchboard.DeliveryFilter {
		return switchboard.DeliveryFilter{Subscription: id, States: states}
	}
	if p.Tab == "recent" && (v.shows("tab") || v.shows("now")) {
		ask(v, &group, &p.Recent, func() ([]client.Delivery, error) {
			found, err := v.api.ListDeliveries(ctx, of(), switchboard.PageRequest{Limit: shownRecent})
			return found.Items, err
		})
	}
	if p.Tab == "failing" && v.shows("tab") {
		ask(v, &group, &p.Groups, func() (client.Facets, error) {
			return v.api.CountFacets(ctx, of(failingStates()...), switchboard.FacetFailure, switchboard.FacetHost)
		})
	}
	if p.Tab == "changes" && v.shows("tab") {
		ask(v, &group, &changes, func() (switchboard.Page[switchboard.AuditEntry], error) {
			return v.api.ListActions(ctx, switchboard.AuditFilter{Object: id}, switchboard.PageRequest{Limit: shownChanges, Cursor: cursor})
		})
	}
	if v.shows("traffic") {
		ask(v, &group, &traffic, func() (switchboard.Traffic, error) {
			return v.api.GetStats(ctx, switchboard.TrafficQuery{By: switchboard.TrafficByOutcome, Subscription: id, From: from})
		})
		ask(v, &group, &marks, func() (switchboard.Page[switchboard.AuditEntry], error) {
			return v.api.ListActions(ctx, switchboard.AuditFilter{Object: id, After: from}, switchboard.PageRequest{Limit: shownMarks})
		})
	}
	group.Wait()
	p.Traffic = traffic.Failed
	if traffic.Value.Step > 0 {
		drawn := attemptsChart(&traffic.Value, attemptsInWords(&traffic.Value, last))
		drawn.Marks = marksOf(marks.Value.Items) // people who may not read them see none
		p.Chart, p.CountedTo = &drawn, traffic.Value.CountedTo
	}
	p.Failures = facetChoices(p.Groups.Value, switchboard.FacetFailure, of(failingStates()...))
	p.Hosts = facetChoices(p.Groups.Value, switchboard.FacetHost, of(failingStates()...))
	p.Changes = read[[]changeRow]{Value: changesOf(changes.Value.Items), Failed: changes.Failed}
	if next := changes.Value.NextCursor; next != "" {
		p.More = linkSubscriptionChanges(id, next)
	}
}

// failingStates are the states of deliveries that have failed, or have not succeeded yet.
func failingStates() []switchboard.State {
	return []switchboard.State{switchboard.StateRetrying, switchboard.StateHeld, switchboard.StateBlocked, switchboard.StateFailed}
}

func facetChoices(found client.Facets, facet switchboard.Facet, filter switchboard.DeliveryFilter) []facetChoice {
	var links []facetChoice
	for _, value := range found.Values[facet] {
		if value.Value == "" {
			continue // it has not failed
		}
		switch narrowed := filter; facet {
		case switchboard.FacetFailure:
			narrowed.Failure = switchboard.Failure(value.Value)
			links = append(links, facetChoice{value, linkDeliveries(narrowed, "all")})
		case switchboard.FacetHost:
			narrowed.Host = value.Value
			links = append(links, facetChoice{value, linkDeliveries(narrowed, "all")})
		}
	}
	return links
}

// settingsSection is a section of settings, as in the form, but read-only.
type settingsSection struct {
	Title  string
	Fields []formField
}

// settingsOf returns all settings of the subscription, without empty ones.
func settingsOf(sub *client.Subscription) ([]settingsSection, error) {
	fields := subscriptionFields(true)
	texts, err := textsOf(fields, sub)
	if err != nil {
		return nil, err
	}
	for i, f := range fields {
		fields[i].Value = texts[f.Path]
		if f.Kind == fieldSecret && memberOf(encoded(client.Patch{"auth": sub.Auth}), f.Path) != nil {
			fields[i].Value = kept
		}
	}
	fields = slices.DeleteFunc(fields, func(f formField) bool { return f.Value == "" || f.Path == "secret" })
	var sections []settingsSection
	for _, s := range sectionsOf(fields) {
		sections = append(sections, settingsSection(s))
	}
	return sections, nil
}
