package switchboard

// Scheme says how a request is signed.
type Scheme string

// The schemes.
const (
	Standard        Scheme = "standard"         // Standard Webhooks v1: HMAC-SHA256 over id, timestamp and body
	StandardEd25519 Scheme = "standard-ed25519" // Standard Webhooks v1a: Ed25519 over the same
	HMACHex         Scheme = "hmac-sha256-hex"  // HMAC-SHA256 over the body alone, hexadecimal, in a header of one's choice
	Unsigned        Scheme = "none"
)

// Signature says how the requests of a subscription are signed.
type Signature struct {
	Scheme Scheme `json:"scheme"`
	Header string `json:"header,omitempty"` // of HMACHex: the header that holds it
	Prefix string `json:"prefix,omitempty"` // of HMACHex: what stands before it, as "sha256="
}
