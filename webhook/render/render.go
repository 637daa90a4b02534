// Package render makes the HTTP request of a subscription from its events: the body, the URL and
// the headers. Their templates are in the language of package liquid. The package knows nothing of
// signatures, credentials and connections.
package render

import (
	"errors"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/document"
	"github.com/seed-49a43567/switchboard/webhook/render/liquid"
)

// Platforms knows the platforms of the catalogue.
type Platforms interface {
	// UseCase returns the use case of that name.
	UseCase(name string) (switchboard.UseCase, bool)
	// VendorName returns the platform's own spelling of an event type, or "" if there is none.
	VendorName(platform, eventType string) string
}

// Limits of a request that is made of templates.
const (
	maxLeaves      = 500     // strings in the params
	maxLeafNesting = 16      // nested objects and arrays in the params
	maxEncoded     = 1 << 20 // of a body that Switchboard encodes, in bytes
	maxRenderedURL = 8 << 10 // in bytes; many servers accept no longer ones
)

// Parsed templates are cached. Longer ones are not: they are rare, parse in microseconds, and could
// fill the memory.
const (
	maxCached       = 1024
	maxCachedLength = 512 // bytes
)

// Renderer makes the requests of attempts. It may be used by many goroutines.
type Renderer struct {
	platforms Platforms
	templates *lru.Cache[string, *liquid.Template] // by their text
}

// NewRenderer makes a renderer; platforms may be nil.
func NewRenderer(platforms Platforms) *Renderer {
	templates, _ := lru.New[string, *liquid.Template](maxCached) // fails for a size below 1 only
	return &Renderer{platforms: platforms, templates: templates}
}

// Render makes the subscription's request for those events, without a signature. There must
// be exactly one event: messages of several events are not supported yet. at is the time
// when the attempt begins, which is also the value of now in templates.
//
// If the request cannot be made, the error is a *[switchboard.Error] that names the field of
// the subscription or event at fault. The next attempt reads the subscription again, whose
// owner may have repaired it. Only erased data never come back, see [ErrErased].
func (r *Renderer) Render(sub *switchboard.Subscription, events []switchboard.Event, at time.Time) (Message, error) {
	return r.RenderWith(sub, events, at, nil)
}

// RenderWith is like Render, but uses the given bytes, if any, instead of the body.
func (r *Renderer) RenderWith(sub *switchboard.Subscription, events []switchboard.Event, at time.Time, body *string) (Message, error) {
	if len(events) != 1 {
		return Message{}, fmt.Errorf("cannot render %d events into one message: it takes exactly one", len(events))
	}
	event, request := &events[0], &sub.Request
	// The request was also checked when it was saved, but the row may be older than the rules. This
	// also keeps line breaks and our own headers out of custom headers.
	if err := request.Validate(); err != nil {
		return Message{}, err
	}
	if len(event.Data) == 0 {
		return Message{}, ErrErased
	}
	useCase, err := r.useCase(sub.UseCase)
	if err != nil {
		return Message{}, err
	}
	budget := liquid.NewBudget()
	p := &rendering{
		renderer: r, request: request, event: event, profile: sub.Profile,
		placeholders: &placeholders{event: event, useCase: useCase, budget: budget}, budget: budget, now: at, given: body,
	}
	return p.message()
}

// Warnings returns the warnings of [CheckTemplates] for the subscription's templates, with these
// events as the only samples.
func (r *Renderer) Warnings(sub *switchboard.Subscription, events []switchboard.Event) ([]string, error) {
	useCase, err := r.useCase(sub.UseCase)
	if err != nil {
		return nil, err
	}
	samples := make([]Sample, len(events))
	for i := range events {
		samples[i] = Sample{EventType: events[i].Type, Named: true, Data: events[i].Data}
	}
	return CheckTemplates(&sub.Request, useCase, samples)
}

// useCase returns the use case of that name, or nil if the name is empty.
func (r *Renderer) useCase(name string) (*switchboard.UseCase, error) {
	if name == "" {
		return nil, nil
	}
	if r.platforms != nil {
		if known, ok := r.platforms.UseCase(name); ok {
			return &known, nil
		}
	}
	// Nobody knows what it may read, so it reads nothing.
	return nil, switchboard.InvalidField("use_case", "%q is not known", name)
}

// ErrErased is the error of an event whose data were erased.
var ErrErased = switchboard.InvalidField("data", "the event holds no data any more")

// rendering is the making of one request.
type rendering struct {
	renderer     *Renderer
	request      *switchboard.Request
	event        *switchboard.Event
	profile      string
	placeholders *placeholders
	budget       *liquid.Budget
	now          time.Time // when the attempt begins
	given        *string   // instead of the body; nil: the body is rendered
}

func (p *rendering) message() (Message, error) {
	m := Message{Method: p.request.Method}
	var query string
	var err error
	switch {
	case p.request.InQuery():
		query, err = p.query()
	case p.given != nil:
		m.Body = []byte(*p.given)
	default:
		m.Body, err = p.body()
	}
	if err != nil {
		return Message{}, err
	}
	if m.URL, err = p.url(query); err != nil {
		return Message{}, err
	}
	if m.Header, err = p.header(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// query renders the params as a query string.
func (p *rendering) query() (string, error) {
	params, err := p.params()
	if err != nil {
		return "", err
	}
	query, err := form(params, maxRenderedURL)
	return string(query), inField("request.params", err)
}

// body renders the body in the format of the content type. It never re-encodes the event's own
// JSON: the receiver gets the bytes that were posted.
func (p *rendering) body() ([]byte, error) {
	format := p.request.Format()
	if p.request.Body == switchboard.BodyParams {
		params, err := p.params()
		if err != nil {
			return nil, err
		}
		return p.encode(params, format, "request.params")
	}
	body := p.event.Data
	if p.request.Body == switchboard.BodyEnvelope {
		var err error
		if body, err = p.envelope(); err != nil {
			return nil, err
		}
	}
	if format == switchboard.FormatJSON || format == switchboard.FormatOther {
		return body, nil
	}
	decoded, err := document.Decode(body)
	if err != nil {
		return nil, inField("data", err)
	}
	return p.encode(decoded, format, "data")
}

// encode writes a document. Its errors name field, the document's origin.
func (p *rendering) encode(value any, format switchboard.Format, field string) ([]byte, error) {
	switch format {
	case switchboard.FormatForm:
		body, err := form(value, maxEncoded)
		return body, inField(field, err)
	case switchboard.FormatXML:
		parameters, err := p.soapParameters()
		if err != nil {
			return nil, err
		}
		body, err := writeXML(value, p.request, parameters)
		return body, inField(field, err)
	}
	body := document.Append(nil, value)
	if len(body) > maxEncoded {
		return nil, inField(field, errEncoded)
	}
	return body, nil
}

// run returns what every template of the request is rendered with.
func (p *rendering) run() liquid.Run {
	return liquid.Run{Scope: p.placeholders, Budget: p.budget, Now: p.now, Lenient: p.request.Missing == switchboard.MissingEmpty}
}

// parse returns the parsed template, if possible from the cache.
func (r *Renderer) parse(source string) (*liquid.Template, error) {
	if len(source) > maxCachedLength {
		return liquid.Parse(source)
	}
	if template, ok := r.templates.Get(source); ok {
		return template, nil
	}
	template, err := liquid.Parse(source)
	if err != nil {
		return nil, err
	}
	r.templates.Add(source, template)
	return template, nil
}

var errEncoded = errors.New("is longer than 1 MiB once it is written")

// inField makes an error name that field, unless it already names a field.
func inField(field string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*switchboard.Error](err); ok {
		return e
	}
	return switchboard.InvalidField(field, "%s", err)
}
