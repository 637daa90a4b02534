package webhook

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"switchboard"
	"switchboard/webhook/liquid"
)

// CheckTemplates checks the templates of a valid request as far as they can be without
// an event: that they can be parsed, are within bounds, read only what the use case
// allows (nil means that there is none), and can be rendered with a sample that has
// their values. The error is a *[switchboard.Error] that names the field, as
// "request.params.address.street".
//
// Warnings name what works and may not do for long, and the placeholders that none of
// the samples, which are data of events that the subscription takes, has a value for.
// There are at most 50, of which the last one says so if there would be more.
func CheckTemplates(request *switchboard.Request, useCase *switchboard.UseCase, samples []json.RawMessage) (warnings []string, err error) {
	c := &check{useCase: useCase}
	for _, sample := range samples {
		s := &scope{event: &switchboard.Event{Data: sample}, useCase: useCase, budget: liquid.NewBudget()}
		if s.decode() == nil { // a sample that is none is the catalogue's business
			c.samples = append(c.samples, s)
		}
	}
	if err := c.request(request); err != nil {
		return nil, err
	}
	return c.warnings, nil
}

// Bounds of the warnings. There may be one for each of many thousand placeholders, and
// names are as long as whoever writes the request likes.
const (
	maxWarnings   = 50
	maxShownField = 200 // characters of the field in them, and of the placeholder
)

type check struct {
	useCase  *switchboard.UseCase
	samples  []*scope
	warnings []string
}

func (c *check) request(request *switchboard.Request) error {
	path, query, _ := liquid.Cut(request.URL[len(switchboard.Address(request.URL)):], '?')
	for _, part := range []string{path, query} {
		if err := c.template("request.url", part); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(request.Headers)) {
		if err := c.template("request.headers."+name, request.Headers[name]); err != nil {
			return err
		}
	}
	if request.SOAP != nil {
		for _, name := range slices.Sorted(maps.Keys(request.SOAP.Parameters)) {
			if err := c.template("request.soap.parameters."+name, request.SOAP.Parameters[name]); err != nil {
				return err
			}
		}
	}
	if request.Body != switchboard.Params {
		return nil
	}
	params, err := eachLeaf(request.Params, func(field, source string) (any, error) {
		return "", c.template(field, source)
	})
	if err == nil && request.Format() == switchboard.FormatXML {
		err = checkXML(params, request)
	}
	return at("request.params", err)
}

func (c *check) template(field, source string) error {
	if !liquid.IsTemplate(source) {
		return nil
	}
	template, err := liquid.Parse(source)
	if err != nil {
		return at(field, err)
	}
	seen := map[string]bool{}
	for _, path := range template.Paths() {
		if seen[path.Text] {
			continue
		}
		seen[path.Text] = true
		if err := c.path(field, path); err != nil {
			return at(field, err)
		}
	}
	return at(field, c.render(template))
}

// maxTried bounds the samples that a template is tried with.
const maxTried = 8

// render returns the error of a template that no sample can be rendered with, though
// they have its values, as where a filter gets text in place of a number.
func (c *check) render(template *liquid.Template) error {
	samples := c.samples
	if len(template.Paths()) == 0 { // the same with each
		samples = []*scope{{event: &switchboard.Event{Data: []byte("{}")}, useCase: c.useCase, budget: liquid.NewBudget()}}
	}
	var failure error
	for _, s := range samples[:min(len(samples), maxTried)] {
		_, err := template.Value(liquid.Run{Scope: s, Budget: s.budget})
		if _, missing := errors.AsType[*liquid.MissingError](err); missing {
			continue
		}
		if err == nil {
			return nil
		}
		failure = err
	}
	return failure
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
		return nil
	case readable && isMember:
	case isCustomField(path) && c.useCase != nil && c.useCase.Entity != "":
		warn("is a custom field without its prefix, a form that may be given up: write %s.%s", c.useCase.Entity, text)
		path.Keys = append([]string{c.useCase.Entity}, path.Keys...)
	case variables != "" && c.anySample(append([]string{variables}, path.Keys...)):
		warn("is a variable without its prefix, a form that may be given up: write %s.%s", variables, text)
		return nil
	case c.useCase != nil && variables != "" && len(path.Keys) == 1 && !isMember:
		warn("is taken for a variable that a script sets, a form that may be given up: write %s.%s", variables, text)
		return nil
	case !readable:
		return &hiddenError{path, c.useCase.Name}
	}
	if len(c.samples) > 0 && !c.anySample(path.Keys) {
		warn("has no value in the samples of these events")
	}
	return nil
}

// warn adds a warning, if there is room for it.
func (c *check) warn(field, text string) {
	if len(c.warnings) == maxWarnings {
		c.warnings[maxWarnings-1] = "there are more warnings than these"
		return
	}
	c.warnings = append(c.warnings, shown(field)+": "+text)
}

// shown is the beginning of a name that may be long.
func shown(name string) string {
	seen := 0
	for i := range name {
		if seen++; seen > maxShownField {
			return name[:i] + "…"
		}
	}
	return name
}

// anySample reports whether one of the samples has a value under those keys.
func (c *check) anySample(keys []string) bool {
	return slices.ContainsFunc(c.samples, func(s *scope) bool {
		_, found := s.find(keys)
		return found
	})
}
