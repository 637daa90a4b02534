package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) subscriptionRoutes() []route {
	return slices.Concat([]route{
		{"GET /console/subscriptions", readers, c.subscriptions},
		{"GET /console/subscriptions/{id}", readers, c.subscription},
	}, c.subscriptionEditRoutes(), c.subscriptionActionRoutes(), c.subscriptionTryRoutes())
}

// How many subscriptions a page of the list has: failing ones, which come first, and others. A page
// should not exceed 80 kB.
const (
	shownFailing = 10
	shownOthers  = 30
)

// subscriptionsPage is the list.
type subscriptionsPage struct {
	Filter    subscriptionsFilter
	Chips     []filterChip
	Rows      []subscriptionRow
	LivePath  string // updates the rows of this page, in their order
	News      int    // number of additional subscriptions since
	Address   string // reloads this page
	Failing   string // more failing ones; empty: these are all
	Pager     pager
	Empty     *emptyState
	MayCreate bool
	Tenants   bool // subscriptions of several tenants are shown
}

// subscriptionsFilter holds the values of the list's form.
type subscriptionsFilter struct {
	Tenant, State, EventType, Failing, Text string
}

// subscriptionRow is a subscription in the list.
type subscriptionRow struct {
	Sub       client.Subscription
	Host      string
	Failing   bool
	Breaker   switchboard.BreakerState // empty: closed
	Share     string                   // of the attempts in 24 hours; empty: none
	Attempts  int64
	P95       int
	Open      *switchboard.Count
	Held      *switchboard.Count
	Delivered *time.Time // beginning of the last hour with a delivered one
	ThisHour  bool       // that hour is the current one
	Spark     spark
}

// spark draws the attempts of 24 hours as the path of an SVG of spark's size, with one line for
// each hour: all attempts, and over them the failed ones.
type spark struct{ All, Failed string }

const (
	sparkHeight = 16
	sparkStep   = 4
)

// sparkOf draws the hours since that time. The highest one fills the picture's height.
func sparkOf(a *client.Activity) spark {
	most := int64(0)
	for _, h := range a.Hours {
		most = max(most, h.Attempts)
	}
	var s spark
	for _, h := range a.Hours {
		x := 2 + sparkStep*int(h.At.Sub(a.Since)/time.Hour)
		line := func(n int64) string {
			if n == 0 {
				return ""
			}
			return fmt.Sprintf("M%d %dv-%d", x, sparkHeight, max(1, n*sparkHeight/most))
		}
		s.All += line(h.Attempts)
		s.Failed += line(h.Failed)
	}
	return s
}

func subscriptionRowOf(sub client.Subscription, now time.Time) subscriptionRow {
	row := subscriptionRow{Sub: sub, Host: hostOfURL(sub.Request.URL)}
	if h := sub.Health; h != nil {
		if h.Breaker != switchboard.BreakerClosed {
			row.Breaker = h.Breaker
		}
		row.Held = &switchboard.Count{Value: h.Held.Count, More: h.Held.More}
	}
	if a := sub.Activity; a != nil {
		row.Open, row.Attempts, row.P95, row.Delivered, row.Spark = &a.Open, a.Attempts.Attempts, a.Attempts.P95, a.DeliveredHour, sparkOf(a)
		row.ThisHour = a.DeliveredHour != nil && now.Sub(*a.DeliveredHour) < time.Hour
		if row.Attempts > 0 {
			row.Share = percent(a.Attempts.Succeeded, a.Attempts.Attempts)
		}
	}
	return row
}

// hostOfURL returns the host of a URL whose path may contain templates.
func hostOfURL(address string) string {
	_, rest, _ := strings.Cut(address, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest
}

// shownParameter has the ids of the rows that a page shows, when it updates them.
const shownParameter = "shown"

// subscriptions lists subscriptions, failing ones first.
func (c *Console) subscriptions(v *visit) (answer, error) {
	if err := v.checkQuery("tenant", "state", "event_type", "failing", "text", "cursor", shownParameter); err != nil {
		return answer{}, err
	}
	query := v.request.URL.Query()
	filter := subscriptionsFilter{query.Get("tenant"), query.Get("state"), query.Get("event_type"), query.Get("failing"), query.Get("text")}
	found, err := listSubscriptions(v, filter, query.Get("cursor"))
	if err != nil {
		return answer{}, err
	}
	if shown := query.Get(shownParameter); shown != "" {
		if found, err = v.inOrder(found, strings.Split(shown, ",")); err != nil {
			return answer{}, err
		}
	}
	p := newSubscriptionsPage(v.now, filter, found, query.Get("cursor"))
	p.MayCreate, p.Tenants = editors.includes(&v.session), v.session.Caller.Tenant == ""
	return page("subscriptions", "Subscriptions", p), nil
}

// foundSubscriptions is the content of the list.
type foundSubscriptions struct {
	subs        []client.Subscription // in the order of the rows
	failing     map[string]bool       // by id
	moreFailing bool
	next        string // cursor of the next page
	news        int    // number of subscriptions in the current list that are not in the rows
}

// listSubscriptions requests failing subscriptions, and then the others. Only the first page has
// both.
func listSubscriptions(v *visit, f subscriptionsFilter, cursor string) (foundSubscriptions, error) {
	found := foundSubscriptions{failing: map[string]bool{}}
	ask := func(failing bool, asked switchboard.PageRequest) (next string, err error) {
		filter := switchboard.SubscriptionFilter{Tenant: f.Tenant, State: switchboard.SubscriptionState(f.State), EventType: f.EventType, Text: f.Text, Failing: &failing}
		page, err := v.api.ListSubscriptions(v.request.Context(), filter, asked, client.IncludeHealth)
		found.subs = append(found.subs, page.Items...)
		for _, sub := range page.Items {
			found.failing[sub.ID] = failing
		}
		return page.NextCursor, err
	}
	var err error
	if f.Failing == "" && cursor == "" {
		more, err := ask(true, switchboard.PageRequest{Limit: shownFailing})
		if err != nil {
			return found, err
		}
		found.moreFailing = more != ""
	}
	switch f.Failing {
	case "true", "false", "":
		found.next, err = ask(f.Failing == "true", switchboard.PageRequest{Limit: shownOthers, Cursor: cursor})
		return found, err
	}
	return found, switchboard.InvalidField("failing", "must be true or false")
}

// inOrder returns the current state of the subscriptions with those ids: rows of an open page never
// move. It counts the others in the current list.
func (v *visit) inOrder(found foundSubscriptions, ids []string) (foundSubscriptions, error) {
	byID := map[string]client.Subscription{}
	for _, sub := range found.subs {
		byID[sub.ID] = sub
	}
	found.subs = nil
	for _, id := range ids[:min(len(ids), shownFailing+shownOthers)] {
		sub, there := byID[id]
		if !there { // no longer on this page of the list
			one, err := v.api.GetSubscription(v.request.Context(), id, client.IncludeHealth)
			switch {
			case switchboard.CodeOf(err) == switchboard.CodeNotFound:
				continue
			case err != nil:
				return found, err
			}
			sub = one
		}
		delete(byID, id)
		found.subs = append(found.subs, sub)
	}
	found.news = len(byID)
	return found, nil
}

// newSubscriptionsPage returns the page with the found subscriptions.
func newSubscriptionsPage(now time.Time, f subscriptionsFilter, found foundSubscriptions, cursor string) subscriptionsPage {
	p := subscriptionsPage{Filter: f, News: found.news, Address: linkSubscriptionList(f, "")}
	var ids []string
	for _, sub := range found.subs {
		row := subscriptionRowOf(sub, now)
		row.Failing = found.failing[sub.ID]
		p.Rows, ids = append(p.Rows, row), append(ids, sub.ID)
	}
	p.LivePath = linkSubscriptionRows(f, cursor, ids)
	if found.moreFailing {
		only := f
		only.Failing = "true"
		p.Failing = linkSubscriptionList(only, "")
	}
	if found.next != "" {
		p.Pager.Older = linkSubscriptionList(f, found.next)
	}
	if cursor != "" {
		p.Pager.First = linkSubscriptionList(f, "")
	}
	p.Chips = subscriptionChips(f)
	if len(p.Rows) == 0 {
		p.Empty = &emptyState{Kind: "none", Text: "No subscription yet. Make one here, or with your key in $KEY:",
			Curl: `curl $API/v1/subscriptions -H "Authorization: Bearer $KEY" -d '{"tenant": "acme", "name": "CRM sync", "events": ["ticket.*"], "request": {"url": "https://crm.example.com/hook"}}'`}
		if len(p.Chips) > 0 {
			p.Empty = &emptyState{Kind: "match", Text: "No subscription matches. Remove a filter:", Chips: p.Chips}
		}
	}
	return p
}

// subscriptionChips are the filters that are set, each with a link to the list without it.
func subscriptionChips(f subscriptionsFilter) []filterChip {
	var chips []filterChip
	add := func(name, value string, take func(*subscriptionsFilter)) {
		if value == "" {
			return
		}
		without := f
		take(&without)
		chips = append(chips, filterChip{name + ": " + value, linkSubscriptionList(without, "")})
	}
	add("tenant", f.Tenant, func(f *subscriptionsFilter) { f.Tenant = "" })
	add("state", f.State, func(f *subscriptionsFilter) { f.State = "" })
	add("event type", f.EventType, func(f *subscriptionsFilter) { f.EventType = "" })
	add("failing", f.Failing, func(f *subscriptionsFilter) { f.Failing = "" })
	add("text", f.Text, func(f *subscriptionsFilter) { f.Text = "" })
	return chips
}

func (f *subscriptionsFilter) parameters() url.Values {
	return parameters("tenant", f.Tenant, "state", f.State, "event_type", f.EventType, "failing", f.Failing, "text", f.Text)
}

// words writes a list in a template.
func words(list ...string) []string { return list }

// commas writes the first entries of a list.
func commas(list []string, most int) string {
	if len(list) > most {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(" and %d more", len(list)-most)
	}
	return strings.Join(list, ", ")
}

// hasFilter reports whether the subscription selects events by their content.
func hasFilter(sub client.Subscription) bool {
	return len(sub.Filter) > 0 && string(sub.Filter) != "{}"
}
