package webhook

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"switchboard"
	"switchboard/webhook/liquid"
)

// mark stands before each value in a path that is being rendered. No text of a URL
// and no escaped value holds it.
const mark = "\x00"

// url renders the URL; query is appended to its own. Scheme, host and port are as the
// customer wrote them, and no value makes a segment of the path or a parameter of the
// query: it is escaped for its place.
func (p *rendering) url(query string) (string, error) {
	const field = "request.url"
	address := switchboard.Address(p.request.URL)
	path, own, hasQuery := liquid.Cut(p.request.URL[len(address):], '?')
	path, err := p.path(path)
	if err != nil {
		return "", err
	}
	if own, err = p.text(field, own, url.QueryEscape); err != nil {
		return "", err
	}
	rendered := address + path
	if hasQuery {
		rendered += "?" + own
	}
	switch {
	case query == "":
	case !hasQuery:
		rendered += "?" + query
	case own == "" || strings.HasSuffix(own, "&"):
		rendered += query
	default:
		rendered += "&" + query
	}
	if len(rendered) > maxRenderedURL {
		return "", switchboard.InvalidField(field, "is longer than %d bytes once it is rendered", maxRenderedURL)
	}
	if _, err := url.Parse(rendered); err != nil {
		return "", switchboard.InvalidField(field, "is not a URL once it is rendered")
	}
	return rendered, nil
}

// path renders the path. A segment that would be empty for lack of a value, or mean
// this or the upper folder by one, is an error: it would be another resource's path.
func (p *rendering) path(source string) (string, error) {
	const field = "request.url"
	rendered, err := p.text(field, source, func(value string) string { return mark + url.PathEscape(value) })
	if err != nil {
		return "", err
	}
	segments := strings.Split(rendered, "/")
	for i, segment := range segments {
		plain := strings.ReplaceAll(segment, mark, "")
		if plain == segment {
			continue
		}
		segments[i] = plain
		switch decoded, err := url.PathUnescape(plain); {
		case err != nil:
			return "", switchboard.InvalidField(field, "is not a URL once it is rendered")
		case decoded == "":
			return "", switchboard.InvalidField(field, "lacks segment %d of its path: its placeholders render nothing", i)
		case decoded == "." || decoded == "..":
			return "", switchboard.InvalidField(field, "would have %q as segment %d of its path, by the value of a placeholder", decoded, i)
		}
	}
	return strings.Join(segments, "/"), nil
}

// customHeader renders the subscription's own headers. A value that a header cannot
// carry fails the request: to leave out a line break would send another value.
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
		case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			return nil, switchboard.InvalidField(field, "would hold a line break or another control character by the value of a placeholder")
		}
		header.Set(name, value)
	}
	return header, nil
}
