package console

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) catalogueRoutes() []route {
	return []route{
		{"GET /console/catalogue", readers, c.catalogue},
		{"GET /console/catalogue/new", administrators, c.newEventType},
		{"GET /console/catalogue/{platform}/{type}", readers, c.eventType},
		{"GET /console/catalogue/{platform}/{type}/edit", administrators, c.editEventType},
		{"POST /console/catalogue/{platform}/{type}/edit", administrators, c.saveEventType},
		{"GET /console/catalogue/{platform}/{type}/delete", administrators, c.deleteEventTypeForm},
		{"POST /console/catalogue/{platform}/{type}/delete", administrators, c.deleteEventType},
	}
}

// cataloguePage lists event types.
type cataloguePage struct {
	Platform  string
	Text      string
	Platforms []client.Platform
	Types     []client.EventType
	Pager     pager
	Empty     *emptyState
	MayEdit   bool
}

// shownTypes is how many event types a page of the catalogue has.
const shownTypes = 100

func (c *Console) catalogue(v *visit) (answer, error) {
	if err := v.checkQuery("platform", "text", "cursor"); err != nil {
		return answer{}, err
	}
	ctx, query := v.request.Context(), v.request.URL.Query()
	p := cataloguePage{Platform: query.Get("platform"), Text: query.Get("text"), MayEdit: administrators.includes(&v.session)}
	platforms, err := v.api.ListPlatforms(ctx, switchboard.PageRequest{Limit: switchboard.MaxPage})
	if err != nil {
		return answer{}, err
	}
	p.Platforms = platforms.Items
	filter := client.EventTypeFilter{Platform: p.Platform, Text: p.Text}
	types, err := v.api.ListEventTypes(ctx, filter, switchboard.PageRequest{Limit: shownTypes, Cursor: query.Get("cursor")})
	if err != nil {
		return answer{}, err
	}
	p.Types = types.Items
	if types.NextCursor != "" {
		p.Pager.Older = linkCatalogue(p.Platform, p.Text, types.NextCursor)
	}
	if query.Get("cursor") != "" {
		p.Pager.First = linkCatalogue(p.Platform, p.Text, "")
	}
	switch {
	case len(p.Types) > 0:
	case p.Text != "":
		p.Empty = &emptyState{Kind: "match", Text: "No event type matches.", Chips: []filterChip{{"text: " + p.Text, linkCatalogue(p.Platform, "", "")}}}
	default:
		p.Empty = &emptyState{Kind: "none", Text: "No event type yet. An admin can add one here, or with a key in $KEY:",
			Curl: `curl -X PUT $API/v1/event_types/desk/ticket.created -H "Authorization: Bearer $KEY" -d '{"description": "A ticket was opened", "sample": {"id": 20817}}'`}
	}
	return page("catalogue", "Catalogue", p), nil
}

// eventTypePage is one event type.
type eventTypePage struct {
	Type            client.EventType
	Sample          string
	Samples         []sampleView
	Schema          string
	Deliveries      read[*switchboard.Count] // of the last 24 hours
	List            string                   // of these deliveries
	Subscribers     read[[]client.Subscription]
	MoreSubscribers string
	MayEdit         bool
}

type sampleView struct{ Name, Data string }

// shownSubscribers is how many subscriptions the page of an event type shows.
const shownSubscribers = 50

func (c *Console) eventType(v *visit) (answer, error) {
	if err := v.checkQuery(); err != nil {
		return answer{}, err
	}
	ctx := v.request.Context()
	t, err := v.api.GetEventType(ctx, v.path("platform"), v.path("type"))
	if err != nil {
		return answer{}, err
	}
	p := eventTypePage{Type: t, Sample: indented(t.Sample), Schema: indented(t.Schema), MayEdit: administrators.includes(&v.session)}
	for _, s := range t.Samples {
		p.Samples = append(p.Samples, sampleView{s.Name, indented(s.Data)})
	}
	var group sync.WaitGroup
	var subscribers read[switchboard.Page[client.Subscription]]
	ask(v, &group, &p.Deliveries, func() (*switchboard.Count, error) {
		filter := switchboard.DeliveryFilter{EventType: t.Name, After: v.now.UTC().Add(-24 * time.Hour).Truncate(time.Second)}
		found, err := v.api.ListDeliveries(ctx, filter, switchboard.PageRequest{Limit: 1, Count: true})
		return found.Count, err
	})
	ask(v, &group, &subscribers, func() (switchboard.Page[client.Subscription], error) {
		return v.api.ListSubscriptions(ctx, switchboard.SubscriptionFilter{EventType: t.Name}, switchboard.PageRequest{Limit: shownSubscribers})
	})
	group.Wait()
	p.List = linkDeliveries(switchboard.DeliveryFilter{EventType: t.Name}, "24h")
	p.Subscribers = read[[]client.Subscription]{Value: subscribers.Value.Items, Failed: subscribers.Failed}
	if subscribers.Value.NextCursor != "" {
		p.MoreSubscribers = linkSubscriptionList(subscriptionsFilter{EventType: t.Name}, "")
	}
	return page("event_type", t.Name, p), nil
}

// eventTypeForm edits an event type, as JSON.
type eventTypeForm struct {
	Platform, Name string
	Address, Back  string
	New            bool
	Document       string
	Faults         []fieldFault
	BuiltIn        bool
}

func newEventTypeForm(v *visit, action string) eventTypeForm {
	p := eventTypeForm{Platform: v.path("platform"), Name: v.path("type")}
	p.Address, p.Back = linkEventTypeAction(p.Platform, p.Name, action), linkEventType(p.Platform, p.Name)
	return p
}

// newEventType leads to the form of the named event type, whether it exists or not.
func (c *Console) newEventType(v *visit) (answer, error) {
	if err := v.checkQuery("platform", "type"); err != nil {
		return answer{}, err
	}
	query := v.request.URL.Query()
	for _, name := range []string{"platform", "type"} {
		if query.Get(name) == "" {
			return answer{}, switchboard.InvalidField(name, "must not be empty")
		}
	}
	return redirect(linkEventTypeAction(query.Get("platform"), query.Get("type"), "edit")), nil
}

func (c *Console) editEventType(v *visit) (answer, error) {
	if err := v.checkQuery(); err != nil {
		return answer{}, err
	}
	p := newEventTypeForm(v, "edit")
	t, err := v.api.GetEventType(v.request.Context(), p.Platform, p.Name)
	switch {
	case switchboard.CodeOf(err) == switchboard.CodeNotFound:
		p.New, p.Back, t.SchemaState = true, linkCatalogue(p.Platform, "", ""), switchboard.SchemaState("")
	case err != nil:
		return answer{}, err
	}
	p.Document, err = eventTypeDocument(&t)
	return page("event_type_edit", p.Name, p), err
}

// eventTypeDocument has the members of an event type that callers set.
func eventTypeDocument(t *client.EventType) (string, error) {
	fields := client.EventTypeFields{
		VendorName: &t.VendorName, Entity: &t.Entity, Description: &t.Description, UseCases: &t.UseCases, Schema: t.Schema, Sample: t.Sample, Deprecated: &t.Deprecated,
	}
	if t.SchemaState != "" {
		fields.SchemaState = &t.SchemaState
	}
	if len(t.Samples) > 0 {
		fields.Samples, fields.Sample = &t.Samples, nil
	}
	text, err := switchboard.EncodeJSON(fields)
	return indented(text), err
}

func (c *Console) saveEventType(v *visit) (answer, error) {
	p := newEventTypeForm(v, "edit")
	p.Document = strings.ReplaceAll(v.request.PostFormValue("document"), "\r\n", "\n")
	var fields client.EventTypeFields
	decoder := json.NewDecoder(strings.NewReader(p.Document))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&fields)
	if err != nil {
		err = switchboard.InvalidField("document", "cannot be read: %s", strings.TrimPrefix(err.Error(), "json: "))
	} else {
		_, err = v.api.PutEventType(v.request.Context(), p.Platform, p.Name, fields)
	}
	if err == nil {
		return redirect(p.Back), nil
	}
	faults, ours := formFaults(err)
	if !ours {
		return answer{}, err
	}
	p.Faults = faults
	return page("event_type_edit", p.Name, p).status(http.StatusUnprocessableEntity), nil
}

func (c *Console) deleteEventTypeForm(v *visit) (answer, error) {
	if err := v.checkQuery(); err != nil {
		return answer{}, err
	}
	p := newEventTypeForm(v, "delete")
	t, err := v.api.GetEventType(v.request.Context(), p.Platform, p.Name)
	p.BuiltIn = t.BuiltIn
	return page("event_type_delete", p.Name, p), err
}

func (c *Console) deleteEventType(v *visit) (answer, error) {
	p := newEventTypeForm(v, "delete")
	if err := v.api.DeleteEventType(v.request.Context(), p.Platform, p.Name); err != nil {
		return answer{}, err
	}
	return redirect(linkCatalogue(p.Platform, "", "")), nil
}
