package render

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/liquid"
)

// While a URL is rendered, mark encloses each value, and boundary stands for every separator that a
// receiver may see between two segments of a path. Neither occurs in an escaped value or in any
// text of a URL in its final form.
const (
	mark     = "\x00"
	boundary = "\x01"
)

// url renders the URL in its final form and appends query to its own query. The scheme, host and
// port are the customer's. Values are escaped for their place, and the text around them is encoded
// separately. So no value can add a segment to the path or a parameter to the query.
func (p *rendering) url(query string) (string, error) {
	const field = "request.url"
	raw := strings.TrimSpace(p.request.URL)
	address := switchboard.Address(raw)
	path, own, hasQuery := liquid.Cut(raw[len(address):], '?')
	address, err := FinalAddress(field, address)
	if err != nil {
		return "", err
	}
	if path, err = p.path(path); err != nil {
		return "", err
	}
	parts, err := p.parts(own, url.QueryEscape)
	if err != nil {
		return "", err
	}
	own = strings.Join(parts, "")
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
	// net/http must write the URL exactly in this form, which was checked and is shown.
	if u, err := url.Parse(rendered); err != nil || u.String() != rendered {
		return "", switchboard.InvalidField(field, "is not a URL once it is rendered")
	}
	return rendered, nil
}

// parts renders a template of the path or query: the customer's texts and the values alternate,
// beginning with a text, each in its final form.
func (p *rendering) parts(source string, escape func(string) string) ([]string, error) {
	const field = "request.url"
	if strings.Contains(source, mark) {
		return nil, switchboard.InvalidField(field, "holds a control character")
	}
	rendered, err := p.text(field, source, func(value string) string { return mark + escape(value) + mark })
	if err != nil {
		return nil, err
	}
	parts := strings.Split(rendered, mark)
	for i := 0; i < len(parts); i += 2 {
		if parts[i], err = encodeTarget(field, parts[i]); err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// separators are what receivers may read as the end of a segment: a slash, an encoded slash and an
// encoded backslash, since some receivers decode first.
var separators = regexp.MustCompile(`/|%2[Ff]|%5[Cc]`)

// path renders the path. It returns an error if a value makes a segment empty, "." or "..": such a
// path would name another resource.
func (p *rendering) path(source string) (string, error) {
	if source == "" {
		return "/", nil
	}
	parts, err := p.parts(source, url.PathEscape)
	if err != nil {
		return "", err
	}
	path := strings.Join(parts, "")
	if len(parts) == 1 { // no values
		return path, nil
	}
	for i, part := range parts {
		if i%2 == 0 {
			parts[i] = separators.ReplaceAllLiteralString(part, boundary)
		}
	}
	for i, segment := range strings.Split(strings.Join(parts, mark), boundary) {
		if err := checkSegment(i, segment); err != nil {
			return "", err
		}
	}
	return path, nil
}

// checkSegment checks a segment of a path, in which marks enclose the values. Many servers remove a
// semicolon and what follows it (a parameter of the segment): "..;x" is "..".
func checkSegment(number int, segment string) error {
	const field = "request.url"
	name, _, _ := strings.Cut(segment, ";")
	if !strings.Contains(name, mark) {
		return nil
	}
	switch decoded, err := url.PathUnescape(strings.ReplaceAll(name, mark, "")); {
	case err != nil:
		return switchboard.InvalidField(field, "is not a URL once it is rendered")
	case decoded == "":
		return switchboard.InvalidField(field, "lacks segment %d of its path: its placeholders render nothing", number)
	case decoded == "." || decoded == "..":
		return switchboard.InvalidField(field, "would have %q as segment %d of its path, by the value of a placeholder", decoded, number)
	}
	return nil
}
