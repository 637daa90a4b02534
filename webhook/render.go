package webhook

import (
	"errors"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/document"
	"github.com/seed-49a43567/switchboard/webhook/liquid"
)

// Platforms knows what the platforms' profiles say. It is the catalogue's business.
type Platforms interface {
	// UseCase returns the use case of that name.
	UseCase(name string) (switchboard.UseCase, bool)
	// VendorName returns the platform's own spelling of an event type; empty: it has none.
	VendorName(platform, eventType string) string
}

// Bounds of a request that is made of templates.
const (
	maxLeaves      = 500     // strings in the params
	maxLeafNesting = 16      // objects and arrays in one another in the params
	maxEncoded     = 1 << 20 // of a body that Switchboard writes, in bytes
	maxRenderedURL = 8 << 10 // in bytes; many servers take no longer one
)

// Templates that are kept once parsed. Longer ones are rare, take microseconds to
// parse, and could fill the memory.
const (
	maxKept       = 1024
	maxKeptLength = 512
)

// Renderer makes the requests of attempts. It may be used by many goroutines.
type Renderer struct {
	platforms Platforms
	templates *lru.Cache[string, *liquid.Template] // by their text
}

// NewRenderer makes a renderer; platforms may be nil.
func NewRenderer(platforms Platforms) *Renderer {
	return &Renderer{platforms: platforms, templates: newRecent[string, *liquid.Template](maxKept, nil)}
}

// Render makes the request that the subscription asks for, not yet signed.
//
// A request that cannot be made is a *[switchboard.Error] that names the
// subscription's or event's field at fault. An attempt turns it into
// [switchboard.FailureRender]: the next one reads the subscription anew, which its
// customer may have repaired. Only erased data never come back.
func (r *Renderer) Render(work switchboard.LoadedDelivery) (Message, error) {
	return r.render(work, time.Now())
}

// render is [Renderer.Render] for an attempt that begins at that time, which is what a
// template means by now.
func (r *Renderer) render(work switchboard.LoadedDelivery, now time.Time) (Message, error) {
	request := &work.Subscription.Request
	// Checked at save time too, but the row may be older than the rules are. This is
	// also what keeps line breaks and our own headers out of the custom ones.
	if err := request.Validate(); err != nil {
		return Message{}, err
	}
	if len(work.Event.Data) == 0 {
		return Message{}, errErased
	}
	useCase, err := r.useCase(work.Subscription.UseCase)
	if err != nil {
		return Message{}, err
	}
	budget := liquid.NewBudget()
	p := &rendering{
		renderer: r, request: request, event: &work.Event, profile: work.Subscription.Profile,
		scope: &scope{event: &work.Event, useCase: useCase, budget: budget}, budget: budget, now: now,
	}
	return p.message()
}

// useCase is the use case of a subscription; nil if it has none.
func (r *Renderer) useCase(name string) (*switchboard.UseCase, error) {
	if name == "" {
		return nil, nil
	}
	if r.platforms != nil {
		if known, ok := r.platforms.UseCase(name); ok {
			return &known, nil
		}
	}
	// What it may read is not known, so it reads nothing.
	return nil, switchboard.InvalidField("use_case", "%q is not known", name)
}

// errErased is the error of an event whose data were erased.
var errErased = switchboard.InvalidField("data", "the event holds no data any more")

// rendering makes one request.
type rendering struct {
	renderer *Renderer
	request  *switchboard.Request
	event    *switchboard.Event
	profile  string
	scope    *scope
	budget   *liquid.Budget
	now      time.Time // when the attempt begins
}

func (p *rendering) message() (Message, error) {
	m := Message{Method: p.request.Method}
	var query string
	var err error
	if p.request.InQuery() {
		query, err = p.query()
	} else {
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

// query is the params as query string.
func (p *rendering) query() (string, error) {
	params, err := p.params()
	if err != nil {
		return "", err
	}
	query, err := form(params, maxRenderedURL)
	return string(query), at("request.params", err)
}

// body is the body in the format that the content type asks for. JSON of the
// event's own is never written anew: the receiver gets the bytes that were posted.
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
		return nil, at("data", err)
	}
	return p.encode(decoded, format, "data")
}

// encode writes a document; field is where it comes from.
func (p *rendering) encode(value any, format switchboard.Format, field string) ([]byte, error) {
	switch format {
	case switchboard.FormatForm:
		body, err := form(value, maxEncoded)
		return body, at(field, err)
	case switchboard.FormatXML:
		parameters, err := p.soapParameters()
		if err != nil {
			return nil, err
		}
		body, err := writeXML(value, p.request, parameters)
		return body, at(field, err)
	}
	body := document.Append(nil, value)
	if len(body) > maxEncoded {
		return nil, at(field, errEncoded)
	}
	return body, nil
}

// header renders the headers and adds what the body needs.
func (p *rendering) header() (http.Header, error) {
	header, err := p.customHeader()
	if err != nil || p.request.InQuery() {
		return header, err
	}
	contentType := p.request.ContentType
	if soap := p.request.SOAP; soap != nil {
		if soap.Version == switchboard.SOAP11 {
			header.Set("SOAPAction", `"`+soap.Action+`"`)
		} else if soap.Action != "" {
			contentType += `; action="` + soap.Action + `"`
		}
	}
	header.Set("Content-Type", contentType)
	return header, nil
}

// run is what every template of the request is rendered with.
func (p *rendering) run() liquid.Run {
	return liquid.Run{Scope: p.scope, Budget: p.budget, Now: p.now, Lenient: p.request.Missing == switchboard.MissingEmpty}
}

// parse returns the parsed template, from those that are kept if it is there.
func (r *Renderer) parse(source string) (*liquid.Template, error) {
	if len(source) > maxKeptLength {
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

// at makes the error of that field of one that has none yet.
func at(field string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*switchboard.Error](err); ok {
		return e
	}
	return switchboard.InvalidField(field, "%s", err)
}
