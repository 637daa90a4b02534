package render

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// header renders the headers and adds those that describe the body.
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

// customHeader renders the subscription's own headers. A value that a header cannot carry is an
// error: removing, for example, a line break would change the value.
func (p *rendering) customHeader() (http.Header, error) {
	header := make(http.Header, len(p.request.Headers)+6) // content type, action, user agent, three of the signature
	for _, name := range slices.Sorted(maps.Keys(p.request.Headers)) {
		field := "request.headers." + name
		value, err := p.text(field, p.request.Headers[name], nil)
		if err != nil {
			return nil, err
		}
		value = strings.Trim(value, " \t")
		switch {
		case len(value) > switchboard.MaxHeaderValue:
			return nil, switchboard.InvalidField(field, "is longer than %d bytes once it is rendered", switchboard.MaxHeaderValue)
		case strings.ContainsFunc(value, func(c rune) bool { return switchboard.IsControl(c) && c != '\t' }):
			return nil, switchboard.InvalidField(field, "would hold a line break or another control character by the value of a placeholder")
		}
		header.Set(name, value)
	}
	return header, nil
}
