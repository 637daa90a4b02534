package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

type subscriptionsCommand struct {
	List    listSubscriptionsCommand   `cmd:"" help:"List subscriptions, newest first, with the health of their endpoints."`
	Show    showSubscriptionCommand    `cmd:"" help:"Show one subscription: its state, its endpoint's health, its held deliveries."`
	Create  createSubscriptionCommand  `cmd:"" help:"Create a subscription. Its signing secret is only shown now."`
	Update  updateSubscriptionCommand  `cmd:"" help:"Change a subscription."`
	Pause   pauseSubscriptionCommand   `cmd:"" help:"Hold the deliveries of a subscription until it is resumed."`
	Resume  resumeSubscriptionCommand  `cmd:"" help:"End a pause. The held deliveries are released, oldest first."`
	Test    testSubscriptionCommand    `cmd:"" help:"Send a test event to this subscription only."`
	Preview previewSubscriptionCommand `cmd:"" help:"Show the request that a subscription would send, without sending it."`
}

type listSubscriptionsCommand struct {
	Tenant    string                        `help:"Only this tenant."`
	State     switchboard.SubscriptionState `enum:",active,paused,disabled,unverified" default:"" help:"Only this state: ${enum}."`
	EventType string                        `help:"Only subscriptions whose patterns match this event type."`
	Failing   *bool                         `negatable:"" help:"Only failing ones: the breaker is not closed, or the last attempts failed; --no-failing: only the others."`
	Text      string                        `help:"Only if the id, name, tenant or host contains this, in upper or lower case."`
	Limit     int                           `default:"50" help:"How many; 0: all."`
	watchFlag
}

func (listSubscriptionsCommand) Help() string {
	return `Examples:

    switchboard subscriptions list --tenant acme
    switchboard subscriptions list --state paused -o wide
    switchboard subscriptions list --failing --event-type ticket.created
    switchboard subscriptions list --text crm.example.com`
}

func (c listSubscriptionsCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	return s.watch(ctx, c.Watch, func() (bool, error) {
		filter := switchboard.SubscriptionFilter{Tenant: c.Tenant, State: c.State, EventType: c.EventType, Failing: c.Failing, Text: c.Text}
		items, raw, err := gather(s, c.Limit, func(asked switchboard.PageRequest) (switchboard.Page[client.Subscription], error) {
			return api.ListSubscriptions(ctx, filter, asked, client.IncludeHealth)
		})
		if err != nil {
			return false, err
		}
		return false, printList(s, items, raw, []column[client.Subscription]{
			{title: "subscription", text: func(sub client.Subscription) string { return sub.ID }},
			{title: "state", text: stateOf, color: func(sub client.Subscription) text.Color {
				if stateOf(sub) == string(switchboard.SubscriptionActive) {
					return text.FgGreen
				}
				return text.FgMagenta
			}, least: 10},
			{title: "tenant", text: func(sub client.Subscription) string { return sub.Tenant }, least: 8, rank: 1},
			{title: "name", text: func(sub client.Subscription) string { return sub.Name }, least: 8},
			{title: "held", text: heldOf},
			{title: "events", text: func(sub client.Subscription) string { return strings.Join(sub.Events, ",") }, least: 10, rank: 3},
			{title: "url", text: func(sub client.Subscription) string { return sub.Request.URL }, least: 16, rank: 2},
			{title: "version", text: func(sub client.Subscription) string { return fmt.Sprint(sub.Version) }, rank: 4},
		}, "No subscription matches.")
	})
}

// stateOf says in a word or two whether a subscription receives deliveries.
func stateOf(sub client.Subscription) string {
	if sub.Health != nil && sub.State == switchboard.SubscriptionActive && sub.Health.Breaker != switchboard.BreakerClosed {
		return "breaker " + strings.ReplaceAll(string(sub.Health.Breaker), "_", " ")
	}
	return string(sub.State)
}

// heldOf is how many deliveries are held for it.
func heldOf(sub client.Subscription) string {
	switch {
	case sub.Health == nil || sub.Health.Held.Count == 0:
		return ""
	case sub.Health.Held.More:
		return thousands(sub.Health.Held.Count) + "+"
	}
	return thousands(sub.Health.Held.Count)
}

type showSubscriptionCommand struct {
	ID string `arg:"" help:"The subscription (sub_…)."`
	watchFlag
}

func (showSubscriptionCommand) Help() string {
	return `Examples:

    switchboard subscriptions show sub_01k0000000000000000000000
    switchboard subscriptions show sub_01k0000000000000000000000 -o yaml > crm.yaml`
}

func (c showSubscriptionCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	return s.watch(ctx, c.Watch, func() (bool, error) {
		sub, err := api.GetSubscription(ctx, c.ID)
		if err != nil {
			return false, err
		}
		return false, s.print(s.answers.last, func() { s.showSubscription(sub) })
	})
}

func (s *Session) showSubscription(sub client.Subscription) {
	s.printFacts(
		fact{"Subscription", sub.ID}, fact{"Name", sub.Name}, fact{"Tenant", sub.Tenant},
		fact{"State", s.stateInFull(sub)}, fact{"Events", strings.Join(sub.Events, ", ")}, fact{"Filter", filterOf(sub)},
		fact{"Request", sub.Request.Method + " " + sub.Request.URL}, fact{"Signature", string(sub.Signature.Scheme)},
		fact{"Retry", fmt.Sprintf("%d attempts over %s", len(sub.RetrySchedule)+1, sub.RetrySpan)},
		fact{"Timeout", sub.Timeout.String()}, fact{"In flight", fmt.Sprintf("%d at the same time", sub.MaxInFlight)},
		fact{"Version", fmt.Sprintf("%d, of %s", sub.Version, s.moment(sub.UpdatedAt))}, fact{"Unreadable", strings.Join(sub.Unreadable, ", ")},
	)
	if h := sub.Health; h != nil {
		s.printf("\n")
		s.printFacts(s.healthFacts(sub, h)...)
	}
	s.warn(sub.Warnings)
}

func (s *Session) stateInFull(sub client.Subscription) string {
	if sub.State == switchboard.SubscriptionActive {
		return string(sub.State)
	}
	return fmt.Sprintf("%s since %s by %s: %s", sub.State, s.moment(sub.StateSince), sub.StateBy, sub.StateReason)
}

func filterOf(sub client.Subscription) string {
	if filter := string(sub.Filter); filter != "{}" {
		return filter
	}
	return ""
}

func (s *Session) healthFacts(sub client.Subscription, h *client.EndpointHealth) []fact {
	facts := []fact{{"Breaker", strings.ReplaceAll(string(h.Breaker), "_", " ")}, {"Because", h.Reason}, {"Since", s.moment(value(h.BreakerSince))}}
	facts = append(facts, fact{"Next probe", s.moment(value(h.NextProbeAt))}, fact{"Asked to wait", s.moment(value(h.DeferredUntil))}, fact{"Queue", h.Queue})
	if h.Slow {
		facts = append(facts, fact{"Slow", "its average latency is above a second: it is sent to from slots of its own"})
	}
	if held := heldOf(sub); held != "" {
		words := held + " deliveries, the oldest since " + s.moment(value(h.Held.Since))
		if sub.ReleaseRate > 0 && !h.Held.More {
			words += fmt.Sprintf("; a release sends them at %d a second, in about %d s", sub.ReleaseRate, (h.Held.Count+sub.ReleaseRate-1)/sub.ReleaseRate)
		}
		facts = append(facts, fact{"Held", words})
	}
	if r := h.Release; r != nil {
		facts = append(facts, fact{"Released", fmt.Sprintf("%s of %s by %s", thousands(r.Done), thousands(r.Total), r.OperationID)})
	}
	return facts
}

// subscriptionFields are the members of a subscription that commands set.
type subscriptionFields struct {
	File   string   `short:"f" placeholder:"FILE" help:"The fields in JSON or YAML, as the API names them; - for standard input."`
	Name   string   `help:"Its name."`
	Events []string `help:"Event types or patterns, such as ticket.*,customer.created."`
	URL    string   `name:"url" help:"Where to send."`
	Set    []string `placeholder:"FIELD=VALUE" sep:"none" help:"Any field, such as timeout=20s or filter={...}; may be repeated. A value that is not JSON is a string; null removes the field."`
}

// document returns the fields as one object.
func (f subscriptionFields) document(s *Session) (json.RawMessage, error) {
	document := json.RawMessage("{}")
	if f.File != "" {
		var err error
		if document, err = s.readDocument("--file", f.File); err != nil {
			return nil, err
		}
	}
	set := func(path []string, value any) {
		text, _ := json.Marshal(value) // strings can always be encoded
		document = setMember(document, path, text)
	}
	if f.Name != "" {
		set([]string{"name"}, f.Name)
	}
	if len(f.Events) > 0 {
		set([]string{"events"}, f.Events)
	}
	if f.URL != "" {
		set([]string{"request", "url"}, f.URL)
	}
	return setMembers(document, f.Set)
}

type createSubscriptionCommand struct {
	Tenant string `help:"The tenant whose events it takes."`
	subscriptionFields
}

func (createSubscriptionCommand) Help() string {
	return `Examples:

    switchboard subscriptions create --tenant acme --name CRM --events 'ticket.*' --url https://crm.example.com/hook
    switchboard subscriptions create --tenant acme --file crm.yaml --set max_in_flight=4`
}

func (c createSubscriptionCommand) Run(ctx context.Context, s *Session) error {
	document, err := c.document(s)
	if err != nil {
		return err
	}
	if c.Tenant != "" {
		tenant, _ := json.Marshal(c.Tenant)
		document = setMember(document, []string{"tenant"}, tenant)
	}
	return act(s, func(api *client.Client) (client.Subscription, error) {
		return api.CreateSubscriptionFrom(ctx, document, s.options()...)
	}, func(sub client.Subscription) {
		s.showSubscription(sub)
		if sub.Secret != "" {
			s.printf("\nSigning secret, only shown now:\n%s\n", sub.Secret.Reveal())
		}
	})
}

type updateSubscriptionCommand struct {
	ID      string `arg:"" help:"The subscription (sub_…)."`
	Version int    `placeholder:"N" help:"The version to change; another version is a conflict. Default: the current one."`
	subscriptionFields
}

func (updateSubscriptionCommand) Help() string {
	return `Examples:

    switchboard subscriptions update sub_01k0000000000000000000000 --url https://crm.example.com/v2/hook
    switchboard subscriptions update sub_01k0000000000000000000000 --set timeout=20s --set rate_limit=null`
}

func (c updateSubscriptionCommand) Run(ctx context.Context, s *Session) error {
	document, err := c.document(s)
	if err != nil {
		return err
	}
	patch := client.Patch{}
	if err := json.Unmarshal(document, &patch); err != nil {
		return err
	}
	if len(patch) == 0 {
		return usage("nothing to change was given")
	}
	return act(s, func(api *client.Client) (client.Subscription, error) {
		version := c.Version
		if version == 0 {
			now, err := api.GetSubscription(ctx, c.ID)
			if err != nil {
				return now, err
			}
			version = now.Version
		}
		return api.UpdateSubscription(ctx, c.ID, version, patch, s.options()...)
	}, s.showSubscription)
}

type pauseSubscriptionCommand struct {
	ID string `arg:"" help:"The subscription (sub_…)."`
	requiredReason
}

func (pauseSubscriptionCommand) Help() string {
	return `Examples:

    switchboard subscriptions pause sub_01k0000000000000000000000 --reason "acme moves its server"`
}

func (c pauseSubscriptionCommand) Run(ctx context.Context, s *Session) error {
	return act(s, func(api *client.Client) (client.Subscription, error) {
		return api.PauseSubscription(ctx, c.ID, c.Reason, s.options()...)
	}, s.showSubscription)
}

type resumeSubscriptionCommand struct {
	ID string `arg:"" help:"The subscription (sub_…)."`
	optionalReason
}

func (resumeSubscriptionCommand) Help() string {
	return `Examples:

    switchboard subscriptions resume sub_01k0000000000000000000000`
}

func (c resumeSubscriptionCommand) Run(ctx context.Context, s *Session) error {
	return act(s, func(api *client.Client) (client.Subscription, error) {
		return api.ResumeSubscription(ctx, c.ID, c.Reason, s.options()...)
	}, s.showSubscription)
}

type testSubscriptionCommand struct {
	ID   string `arg:"" help:"The subscription (sub_…)."`
	Type string `help:"Event type. Default: one from the catalogue."`
	Data string `placeholder:"JSON" help:"The event's data: a JSON value, @file, or -. Default: the catalogue's sample."`
}

func (testSubscriptionCommand) Help() string {
	return `Examples:

    switchboard subscriptions test sub_01k0000000000000000000000 --type ticket.created`
}

func (c testSubscriptionCommand) Run(ctx context.Context, s *Session) error {
	event := client.TestEvent{Type: c.Type}
	if c.Data != "" {
		var err error
		if event.Data, err = s.readJSON("--data", c.Data); err != nil {
			return err
		}
	}
	return act(s, func(api *client.Client) (client.Acceptance, error) {
		return api.TestSubscription(ctx, c.ID, event, s.options()...)
	}, s.showAcceptance)
}

type previewSubscriptionCommand struct {
	ID    string `arg:"" help:"The subscription (sub_…)."`
	Event string `help:"The id of a posted event."`
	Type  string `help:"Event type. Default: one from the catalogue."`
	Data  string `placeholder:"JSON" help:"The event's data: a JSON value, @file, or -."`
}

func (previewSubscriptionCommand) Help() string {
	return `Examples:

    switchboard subscriptions preview sub_01k0000000000000000000000 --event ticket-20817-created`
}

func (c previewSubscriptionCommand) Run(ctx context.Context, s *Session) error {
	event := client.SampleEvent{EventID: c.Event, Type: c.Type}
	if c.Data != "" {
		var err error
		if event.Data, err = s.readJSON("--data", c.Data); err != nil {
			return err
		}
	}
	return act(s, func(api *client.Client) (client.Preview, error) {
		return api.PreviewSubscription(ctx, c.ID, event, s.options()...)
	}, func(p client.Preview) {
		s.printf("%s %s\n", p.Method, clean(p.URL))
		s.printMessage(p.Headers, p.Body, p.BodyEncoding, nil)
		s.warn(p.Warnings)
	})
}

func sortedNames(headers map[string]string) []string {
	var names []string
	for name := range headers {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// cleanLines cleans every line.
func cleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}
