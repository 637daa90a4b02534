package render

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/liquid"
)

// CheckTemplates checks the templates of a valid request as far as that is possible without
// an event. They must parse, respect the limits, read only what the use case allows (nil:
// there is none), and render with the samples, which are data of events that the
// subscription receives. The error is a *[switchboard.Error] that names the field, as
// "request.params.address.street".
//
// Warnings name what works but is probably a mistake or may stop working: placeholders that
// have no value in any sample, event types matched by a pattern for which a template cannot
// be rendered, sample values that do not suit a filter, and filters that encode what is
// encoded anyway. There are at most 50; if there are more, the last one says so.
func CheckTemplates(request *switchboard.Request, useCase *switchboard.UseCase, samples []Sample) (warnings []string, err error) {
	c := newCheck(request, useCase, samples)
	if err := c.request(request); err != nil {
		return nil, err
	}
	c.warnOfMissing()
	if c.work <= 0 {
		c.warn("request", "the templates ask for so much work that they were not tried with all samples")
	}
	return c.warnings, nil
}

// Limits of the warnings. Each of many thousand placeholders may cause one, and names have any
// length.
const (
	maxWarnings   = 50
	maxShownField = 200 // bytes of the field that a warning names, and of the placeholder
)

type check struct {
	useCase  *switchboard.UseCase
	lenient  bool
	types    []*typeSamples
	work     int               // what may still be spent on samples
	missing  map[string]string // event types whose samples lack a value, with the first error
	warnings []string
}

func (c *check) request(request *switchboard.Request) error {
	path, query, _ := liquid.Cut(request.URL[len(switchboard.Address(request.URL)):], '?')
	if err := c.template("request.url", inPath, path); err != nil {
		return err
	}
	if err := c.template("request.url", inQuery, query); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(request.Headers)) {
		if err := c.template("request.headers."+name, inHeader, request.Headers[name]); err != nil {
			return err
		}
	}
	if request.SOAP != nil {
		for _, name := range slices.Sorted(maps.Keys(request.SOAP.Parameters)) {
			if err := c.template("request.soap.parameters."+name, inXML, request.SOAP.Parameters[name]); err != nil {
				return err
			}
		}
	}
	if request.Body != switchboard.BodyParams {
		return nil
	}
	params, err := eachLeaf(request.Params, func(field, source string) (any, error) {
		return "", c.template(field, leafPosition(request), source)
	})
	if err == nil && request.Format() == switchboard.FormatXML {
		err = checkXML(params, request)
	}
	return inField("request.params", err)
}

func (c *check) template(field string, where position, source string) error {
	if !switchboard.HoldsTemplate(source) {
		return nil
	}
	template, err := liquid.Parse(source)
	if err != nil {
		return inField(field, err)
	}
	seen := map[string]bool{}
	for _, path := range template.Paths() {
		if seen[path.Text] {
			continue
		}
		seen[path.Text] = true
		if err := c.path(field, path); err != nil {
			return inField(field, err)
		}
	}
	if filter := encodes[where]; filter != "" && template.Uses(filter) {
		c.warn(field, "the filter "+filter+" encodes a value that is encoded for its place anyway, and the receiver reads it encoded: leave the filter out, unless you want that")
	}
	return inField(field, c.render(field, template))
}

// position is where a template is in the request.
type position int

const (
	inHeader position = iota
	inPath
	inQuery
	inForm
	inXML
	inJSON
)

// encodes names, for each position, the filter that does the same encoding as the position itself.
var encodes = map[position]string{inPath: "url_encode", inQuery: "url_encode", inForm: "url_encode", inXML: "escape", inJSON: "json"}

// leafPosition returns where the leaves of the params are.
func leafPosition(request *switchboard.Request) position {
	switch {
	case request.InQuery():
		return inQuery
	case request.Format() == switchboard.FormatForm:
		return inForm
	case request.Format() == switchboard.FormatXML:
		return inXML
	}
	return inJSON
}

// path checks one placeholder.
func (c *check) path(field string, path liquid.Path) error {
	text := shown(path.Text)
	warn := func(format string, args ...any) {
		c.warn(field, "{{ "+text+" }} "+fmt.Sprintf(format, args...))
	}
	root, variables := path.Keys[0], variablesOf(c.useCase)
	readable := mayRead(c.useCase, root)
	isMember := c.anySample(path.Keys[:1])
	switch {
	case isEventField(path):
		if c.anySample(path.Keys) {
			warn("is the event's own; that of the member event of the data is {{ [\"event\"].%s }}", path.Keys[1])
		}
		return nil
	case readable && isMember:
	case isCustomField(path) && c.useCase != nil && c.useCase.Entity != "":
		warn("is a custom field without its prefix, a form that may be given up: write %s", below(c.useCase.Entity, text))
		path.Keys = append([]string{c.useCase.Entity}, path.Keys...)
	case variables != "" && c.anySample(append([]string{variables}, path.Keys...)):
		warn("is a variable without its prefix, a form that may be given up: write %s", below(variables, text))
		return nil
	case c.useCase != nil && variables != "" && len(path.Keys) == 1 && !isMember:
		warn("is taken for a variable that a script sets, a form that may be given up: write %s", below(variables, text))
		return nil
	case !readable:
		return &hiddenError{path, c.useCase.Name}
	}
	if len(c.types) > 0 && !c.anySample(path.Keys) {
		warn("has no value in the samples of these events")
	}
	return nil
}

// warn adds a warning, if there is room for one.
func (c *check) warn(field, text string) {
	if len(c.warnings) == maxWarnings {
		c.warnings[maxWarnings-1] = "there are more warnings than these"
		return
	}
	c.warnings = append(c.warnings, shown(field)+": "+text)
}

// shown shortens a name for a warning.
func shown(name string) string { return switchboard.Clip(name, maxShownField) }

// below returns the placeholder of a member of that member.
func below(member, placeholder string) string {
	if strings.HasPrefix(placeholder, "[") {
		return member + placeholder
	}
	return member + "." + placeholder
}
