package api

import (
	"slices"

	"switchboard"
)

// leaves returns those of the fields that cannot be read which the patch does not give
// anew. null and {} say that there is none any more. The signing secret is not the patch's: it
// stays as it is until it is rotated.
func (p *subscriptionPatch) leaves(unreadable []string) []string {
	return slices.DeleteFunc(slices.Clone(unreadable), func(field string) bool {
		r := p.Request
		switch field {
		case switchboard.UnreadableSecret:
			return true
		case "request.url":
			return r != nil && r.URL != nil
		case "auth":
			return p.Auth != nil && (p.Auth.cleared || p.Auth.Type != nil)
		case "filter":
			return p.Filter != nil
		case "retry":
			return p.Retry != nil
		case "timeout":
			return p.Timeout != nil
		case "adaptive":
			return p.Adaptive != nil || p.Timeout != nil
		case "request.headers":
			return r != nil && r.Headers != nil
		case "request.params":
			return r != nil && (r.Params != nil || r.Body != nil && *r.Body != switchboard.Params)
		case "request.soap":
			return r != nil && (r.SOAP != nil || r.ContentType != nil)
		case "request.envelope":
			return r != nil && (r.Envelope != nil || r.XML != nil || r.Missing != nil)
		}
		return false
	})
}
