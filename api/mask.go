package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"mime"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// What callers without the permission read_payload get instead of payloads. These functions
// make every answer that has event data, a body, a URL or headers:
//
//   - [shownURL], [shownHeaders] and [shownBody] mask;
//   - [redact] describes a body or event data by length, type and shape;
//   - [requirePayload] refuses calls that have no meaning without payloads.

// redacted replaces content that the caller may not read.
type redacted struct {
	Bytes  int         `json:"bytes" doc:"Length in bytes" example:"612"`
	Type   string      `json:"type,omitempty" doc:"Media type, if it is known" example:"application/json"`
	SHA256 string      `json:"sha256" doc:"SHA-256 of the bytes, in hex: the same content has the same value" example:"5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"`
	Shape  []shapePart `json:"shape,omitempty" nullable:"false" doc:"For JSON: its members in order, at most 200. Names that are not in the catalogue's schema of the event type are …"`
}

// redact describes content. nil, which means no content, has no description.
func redact(content []byte, mediaType string, names schemaNames) *redacted {
	if content == nil {
		return nil
	}
	sum := sha256.Sum256(content)
	media, _, _ := mime.ParseMediaType(mediaType) // without its parameters, which may be anything
	return &redacted{Bytes: len(content), Type: media, SHA256: hex.EncodeToString(sum[:]), Shape: shapeOf(content, names)}
}

// shownBody returns a body for the caller: its text, or base64 if it is not text, or a description.
func shownBody(caller switchboard.Caller, body []byte, mediaType string) (text, encoding string, instead *redacted) {
	switch {
	case !caller.ReadPayload:
		return "", "", redact(body, mediaType, nil)
	case utf8.Valid(body):
		return string(body), "", nil
	}
	return base64.StdEncoding.EncodeToString(body), "base64", nil
}

// shownURL returns a URL for the caller. Without read_payload its path and query are masked. whole
// says that the caller may also see the values of the query, which are otherwise masked for
// everybody.
func shownURL(caller switchboard.Caller, rawURL string, whole bool) string {
	switch {
	case !caller.ReadPayload:
		return switchboard.MaskPath(rawURL)
	case whole:
		return rawURL
	}
	return switchboard.MaskQuery(rawURL)
}

// shownHeaders returns headers for the caller. The values of sensitive ones are masked, and without
// read_payload all values except those of a closed list.
func shownHeaders(caller switchboard.Caller, headers map[string]string) map[string]string {
	shown := switchboard.MaskHeaders(headers)
	for name := range shown {
		if !caller.ReadPayload && !switchboard.PlainHeader(name) {
			shown[name] = switchboard.Mask
		}
	}
	return shown
}

// requirePayload refuses callers without read_payload. what names what they requested.
func requirePayload(caller switchboard.Caller, what string) error {
	if caller.ReadPayload {
		return nil
	}
	return switchboard.Errorf(switchboard.CodeForbidden, "%s needs the permission read_payload, which this key does not have", what)
}

// maskSubscription masks what the requests of a subscription contain besides its URLs and the
// event. The caller may send the masks back in a change, see unmask.
func maskSubscription(caller switchboard.Caller, s *switchboard.Subscription) {
	if caller.ReadPayload {
		return
	}
	s.Request.Headers = shownHeaders(caller, s.Request.Headers)
	if s.Request.Params != nil {
		s.Request.Params = asJSON(switchboard.Mask)
	}
	if s.Request.SOAP != nil {
		soap := *s.Request.SOAP
		soap.Parameters = masked(soap.Parameters)
		if soap.Action != "" {
			soap.Action = switchboard.Mask
		}
		s.Request.SOAP = &soap
	}
	s.Auth.Parameters = masked(s.Auth.Parameters)
}

// masked returns the names with masked values.
func masked[T ~string](values map[string]T) map[string]T {
	if values == nil {
		return nil
	}
	out := make(map[string]T, len(values))
	for name := range values {
		out[name] = switchboard.Mask
	}
	return out
}
