package switchboard

import "time"

// Scheme says how a request is signed. Package signing has the schemes.
type Scheme string

// DefaultScheme signs where a subscription names no scheme: Standard Webhooks v1.
const DefaultScheme Scheme = "standard"

// Signature says how the requests of a subscription are signed.
type Signature struct {
	Scheme Scheme `json:"scheme,omitempty" default:"standard"`
	Header string `json:"header,omitempty" nonzero:"true" doc:"For hmac-sha256-hex: the header with the signature. Default: X-Webhook-Signature" maxLength:"200"`
	Prefix string `json:"prefix,omitempty" doc:"For hmac-sha256-hex: text before the signature, such as sha256=" maxLength:"64"`
}

// SigningSecret is a secret that deliveries are signed with. During a rotation a
// subscription has several.
type SigningSecret struct {
	Secret    Secret    // as the scheme writes it
	CreatedAt time.Time // since when it signs
	ExpiresAt time.Time // zero: the current one, which does not expire
}

// Rotation says what becomes of the secrets before a new one.
type Rotation struct {
	Grace          time.Duration // how long the current one stays valid
	RevokePrevious bool          // all end at once, whatever was promised them
}
