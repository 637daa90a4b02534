package switchboard

import "time"

// Scheme is how a request is signed. Package signing has the schemes.
type Scheme string

// DefaultScheme is the scheme of a subscription that names none: Standard Webhooks v1.
const DefaultScheme Scheme = "standard"

// Signature is how the requests of a subscription are signed.
type Signature struct {
	Scheme Scheme `json:"scheme,omitempty" default:"standard"`
	Header string `json:"header,omitempty" nonzero:"true" doc:"For hmac-sha256-hex: the header with the signature. Default: X-Webhook-Signature" maxLength:"200"`
	Prefix string `json:"prefix,omitempty" doc:"For hmac-sha256-hex: text before the signature, such as sha256=" maxLength:"64"`
}

// SigningSecret is a secret that signs deliveries. During a rotation a subscription has several.
type SigningSecret struct {
	Secret    Secret    // as the scheme writes it
	CreatedAt time.Time // when it began to sign
	ExpiresAt time.Time // zero: the current one, which does not expire
}

// Rotation says what happens to the earlier secrets.
type Rotation struct {
	Grace          time.Duration // how long the current one stays valid
	RevokePrevious bool          // all end at once, even if an earlier rotation promised longer
}
