package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) subscriptionTryRoutes() []route {
	triers := editors | supporters
	return []route{
		{"GET /console/subscriptions/{id}/test", editors, c.testForm},
		{"POST /console/subscriptions/{id}/test", editors, c.sendTest},
		{"GET /console/subscriptions/{id}/preview", triers, c.previewForm},
		{"POST /console/subscriptions/{id}/preview", triers, c.previewStored},
		{"GET /console/subscriptions/{id}/match", triers, c.matchForm},
		{"POST /console/subscriptions/{id}/match", triers, c.matchStored},
	}
}

// tryPage is the form for an event to try a subscription with, and the result.
type tryPage struct {
	Sub     client.Subscription
	Action  string // test, preview or match
	Title   string
	Address string
	Try     tryFields
	Types   []string // event types that the subscription receives and the catalogue has samples of
	Faults  []fieldFault
	Preview *client.Preview
	Match   *client.Match
}

// tryFields are the typed members of the event.
type tryFields struct {
	EventID string
	Type    string
	Data    string
	Key     string
}

// sample returns the typed event.
func (t *tryFields) sample() (client.SampleEvent, error) {
	event := client.SampleEvent{EventID: t.EventID, Type: t.Type, Key: t.Key}
	if strings.TrimSpace(t.Data) != "" {
		if !json.Valid([]byte(t.Data)) {
			return event, switchboard.InvalidField("data", "is not JSON")
		}
		event.Data = json.RawMessage(t.Data)
	}
	return event, nil
}

// newTryPage returns the form with the sample of an event type: the one in the query, or else the
// first that the subscription receives.
func newTryPage(v *visit, action string) (tryPage, error) {
	p := tryPage{Action: action, Title: map[string]string{"test": "Send a test to", doPreview: "Preview", doMatch: "Try a match of"}[action]}
	sub, err := v.api.GetSubscription(v.request.Context(), v.path("id"))
	if err != nil {
		return p, err
	}
	p.Sub, p.Title, p.Address = sub, p.Title+" "+sub.Name, linkSubscriptionAction(sub.ID, action)
	types, err := typesFor(v, &sub)
	if err != nil {
		return p, err
	}
	query := v.request.URL.Query()
	p.Try.EventID, p.Try.Type = query.Get("event_id"), query.Get("event_type")
	if p.Try.EventID != "" {
		return p, nil
	}
	for _, t := range types {
		p.Types = append(p.Types, t.Name)
		if p.Try.Type == "" {
			p.Try.Type = t.Name
		}
		if strings.EqualFold(t.Name, p.Try.Type) && p.Try.Data == "" {
			p.Try.Data = indented(t.Sample)
		}
	}
	return p, nil
}

// typesFor returns the event types that the subscription receives and that have a sample, of its
// platform if it has one.
func typesFor(v *visit, sub *client.Subscription) ([]client.EventType, error) {
	var types []client.EventType
	for t, err := range v.api.EventTypes(v.request.Context(), client.EventTypeFilter{Platform: sub.Profile, UseCase: sub.UseCase}) {
		if err != nil {
			return nil, err
		}
		if hasSample(t) && sub.Wants(t.Name) {
			types = append(types, t)
		}
	}
	return types, nil
}

func hasSample(t client.EventType) bool { return len(t.Sample) > 0 && string(t.Sample) != "null" }

func hasSchema(t client.EventType) bool { return len(t.Schema) > 0 && string(t.Schema) != "null" }

// indented writes JSON over several lines, and anything else unchanged.
func indented(document json.RawMessage) string {
	var text bytes.Buffer
	if json.Indent(&text, document, "", "  ") != nil {
		return string(document)
	}
	return text.String()
}

func tryForm(v *visit, action string) (answer, error) {
	if err := v.checkQuery("event_type", "event_id"); err != nil {
		return answer{}, err
	}
	p, err := newTryPage(v, action)
	return page("subscription_try", p.Title, p), err
}

func (c *Console) testForm(v *visit) (answer, error)    { return tryForm(v, "test") }
func (c *Console) previewForm(v *visit) (answer, error) { return tryForm(v, doPreview) }
func (c *Console) matchForm(v *visit) (answer, error)   { return tryForm(v, doMatch) }

// readTry returns the typed values.
func readTry(v *visit, action string) (tryPage, client.SampleEvent, error) {
	p, err := newTryPage(v, action)
	if err != nil {
		return p, client.SampleEvent{}, err
	}
	typed, err := readForm(v.request, nil)
	if err != nil {
		return p, client.SampleEvent{}, err
	}
	p.Try = typed.try
	event, err := p.Try.sample()
	return p, event, err
}

// tryAgain shows the form with the typed values, and what is wrong with them.
func tryAgain(p tryPage, err error) (answer, error) {
	faults, ours := formFaults(err)
	if !ours || p.Sub.ID == "" {
		return answer{}, err
	}
	p.Faults = faults
	return page("subscription_try", p.Title, p).status(http.StatusUnprocessableEntity), nil
}

// sendTest sends a test event, and leads to the resulting delivery.
func (c *Console) sendTest(v *visit) (answer, error) {
	p, event, err := readTry(v, "test")
	if err != nil {
		return tryAgain(p, err)
	}
	accepted, err := v.api.TestSubscription(v.request.Context(), p.Sub.ID, client.TestEvent{Type: event.Type, Data: event.Data}, v.once())
	if err != nil {
		return tryAgain(p, err)
	}
	for _, d := range accepted.Deliveries {
		return redirect(linkDelivery(d.ID)), nil
	}
	return redirect(linkEvent(accepted.ID, p.Sub.Tenant)), nil
}

func (c *Console) previewStored(v *visit) (answer, error) {
	p, event, err := readTry(v, doPreview)
	if err != nil {
		return tryAgain(p, err)
	}
	made, err := v.api.PreviewSubscription(v.request.Context(), p.Sub.ID, event)
	if err != nil {
		return tryAgain(p, err)
	}
	p.Preview = &made
	return page("subscription_try", p.Title, p), nil
}

func (c *Console) matchStored(v *visit) (answer, error) {
	p, event, err := readTry(v, doMatch)
	if err != nil {
		return tryAgain(p, err)
	}
	found, err := v.api.MatchSubscription(v.request.Context(), p.Sub.ID, event)
	if err != nil {
		return tryAgain(p, err)
	}
	p.Match = &found
	return page("subscription_try", p.Title, p), nil
}

// wordsOf returns the text of one of our errors, without its code.
func wordsOf(err error) string {
	if own, ok := errors.AsType[*switchboard.Error](err); ok {
		return own.Message
	}
	return err.Error()
}

// tryTyped tries the typed subscription with an event, and saves nothing.
func tryTyped(v *visit, fields []formField, typed typedForm, document client.Patch, sub *client.Subscription) (answer, error) {
	event, err := typed.try.sample()
	if err != nil {
		return formAgain(fields, typed, sub, err)
	}
	var preview *client.Preview
	var match *client.Match
	switch typed.do {
	case doPreview:
		made, failed := v.api.PreviewFrom(v.request.Context(), encoded(document), event)
		preview, err = &made, failed
	case doMatch:
		made, failed := v.api.MatchFrom(v.request.Context(), encoded(document), event)
		match, err = &made, failed
	default:
		return answer{}, switchboard.InvalidField("do", "must be %s, %s or %s", doSave, doPreview, doMatch)
	}
	if err != nil {
		return formAgain(fields, typed, sub, err)
	}
	shown, err := formOf(fields, typed, sub)
	shown.Preview, shown.Match = preview, match
	return page("subscription_edit", shown.Title, shown), err
}

// triedDocument returns a stored subscription with the typed values, to be tried. The console does
// not know its stored credentials. It renders the same without authentication, and headers with
// credentials say so.
func triedDocument(fields []formField, typed map[string]string, sub *client.Subscription) (client.Patch, error) {
	document, err := documentOf(fields, typed)
	if err != nil {
		return nil, err
	}
	delete(document, "auth")
	document["tenant"], document["name"] = sub.Tenant, sub.Name
	if sub.Profile != "" {
		document["profile"] = sub.Profile
	}
	if sub.UseCase != "" {
		document["use_case"] = sub.UseCase
	}
	if request, ok := document["request"].(map[string]any); ok {
		if headers, ok := request["headers"].(map[string]any); ok {
			for name, value := range headers {
				if text, _ := value.(string); strings.Contains(text, switchboard.Mask) {
					headers[name] = "stored"
				}
			}
		}
	}
	return document, nil
}
