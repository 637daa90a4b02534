package switchboard

// AuthType says how a request shows the receiver who sends it, beside its signature.
type AuthType string

// The types of endpoint authentication.
const (
	NoAuth     AuthType = ""
	BasicAuth  AuthType = "basic"
	BearerAuth AuthType = "bearer"
	APIKeyAuth AuthType = "api_key" // a header of one's choice
	OAuth2     AuthType = "oauth2"  // client credentials, RFC 6749 §4.4
	MTLS       AuthType = "mtls"    // a client certificate
)

// Auth is what a subscription's requests show the receiver. Each type uses the
// fields named beside it.
type Auth struct {
	Type AuthType

	Username string // basic
	Password Secret // basic
	Token    Secret // bearer
	Header   string // api_key
	Value    Secret // api_key

	TokenURL     string   // oauth2
	ClientID     string   // oauth2
	ClientSecret Secret   // oauth2
	Scopes       []string // oauth2

	Certificate string // mtls: PEM, the chain of the client's certificate
	PrivateKey  Secret // mtls: PEM
}
