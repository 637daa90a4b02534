package api

import (
	"slices"

	"github.com/seed-49a43567/switchboard"
)

// leaves returns those of the unreadable fields that the patch does not replace; null and
// {} replace a field by nothing. No patch replaces the signing secret, which is rotated.
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
			return r != nil && (r.Params != nil || r.Body != nil && *r.Body != switchboard.BodyParams)
		case "request.soap":
			return r != nil && (r.SOAP != nil || r.ContentType != nil)
		case "request.envelope":
			return r != nil && (r.Envelope != nil || r.XML != nil || r.Missing != nil)
		}
		return false
	})
}
