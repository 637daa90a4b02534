package switchboard

import (
	"encoding/json"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// AuthType says how a request shows the receiver who sends it, in addition to its signature.
type AuthType string

// The types of endpoint authentication.
const (
	AuthNone   AuthType = ""
	AuthBasic  AuthType = "basic"
	AuthBearer AuthType = "bearer"
	AuthAPIKey AuthType = "api_key" // a header of the subscription's choice
	AuthOAuth2 AuthType = "oauth2"  // client credentials, RFC 6749 §4.4
	AuthMTLS   AuthType = "mtls"    // a client certificate
)

// AuthTypes lists every type but [NoAuth].
func AuthTypes() []AuthType {
	return []AuthType{AuthBasic, AuthBearer, AuthAPIKey, AuthOAuth2, AuthMTLS}
}

// Bounds of endpoint authentication, in bytes unless stated otherwise.
const (
	maxAuthText    = 1024 // of user name and client id, in characters
	maxAuthSecret  = 4096 // of password, token, value and client secret
	maxScopes      = 50   // entries
	maxScope       = 256
	maxParameters  = 20 // entries
	maxParameter   = 1024
	maxCertificate = 32 << 10 // of the chain in PEM
	maxPrivateKey  = 16 << 10 // in PEM
)

// authorization is the header of basic, bearer and oauth2.
const authorization = "Authorization"

// Auth is how a subscription's requests authenticate to the receiver. Each type uses the fields
// that name it.
type Auth struct {
	Type         AuthType   `json:"type,omitempty" always:"true" enum:"basic,bearer,api_key,oauth2,mtls" doc:"oauth2: a token by client credentials; if the receiver refuses it, by 401 or by a 403 that may mean an expired token, the same attempt sends the request once more with a new one, and records that. mtls: a client certificate" example:"bearer"`
	Username     string     `json:"username,omitempty" doc:"For basic" maxLength:"1024"`
	Password     Secret     `json:"password,omitempty" doc:"For basic. It is stored encrypted and shown masked, like every secret here; sending the mask back keeps the stored value. It must be given again with another token_url, or another host in the url"`
	Token        Secret     `json:"token,omitempty" doc:"For bearer" example:"s3cr3t"`
	Header       string     `json:"header,omitempty" doc:"For api_key: the header with the key" maxLength:"200"`
	Value        Secret     `json:"value,omitempty" doc:"For api_key: the key"`
	TokenURL     string     `json:"token_url,omitempty" doc:"For oauth2: the token endpoint; a token is requested when the subscription is saved" maxLength:"2048"`
	ClientID     string     `json:"client_id,omitempty" doc:"For oauth2" maxLength:"1024"`
	ClientSecret Secret     `json:"client_secret,omitempty" doc:"For oauth2"`
	Scopes       []string   `json:"scopes,omitempty" nullable:"false" doc:"For oauth2. A change replaces the list" maxItems:"50"`
	Parameters   Parameters `json:"parameters,omitempty" doc:"For oauth2: at most 20 further parameters of the token request, such as audience and resource. They are stored encrypted. Values with the name of a credential are masked, and kept like those of headers"`
	Certificate  string     `json:"certificate,omitempty" doc:"For mtls: the client certificate with its chain, in PEM"`
	PrivateKey   Secret     `json:"private_key,omitempty" doc:"For mtls: the private key in PEM, not encrypted"`
}

// RevealedAuth is an [Auth] whose secrets are marshalled in clear, for code that stores it
// encrypted or sends it to the API. It is read as an Auth.
type RevealedAuth struct {
	Auth
	Password     string            `json:"password,omitempty"`
	Token        string            `json:"token,omitempty"`
	Value        string            `json:"value,omitempty"`
	ClientSecret string            `json:"client_secret,omitempty"`
	Parameters   map[string]string `json:"parameters,omitempty"`
	PrivateKey   string            `json:"private_key,omitempty"`
}

// Reveal returns the authentication with its secrets in clear.
func (a Auth) Reveal() RevealedAuth {
	return RevealedAuth{
		Auth: a, Password: a.Password.Reveal(), Token: a.Token.Reveal(), Value: a.Value.Reveal(),
		ClientSecret: a.ClientSecret.Reveal(), Parameters: a.Parameters.reveal(), PrivateKey: a.PrivateKey.Reveal(),
	}
}

// Parameters are additional parameters of the request for a token. If a name is that of a
// credential, its value is masked when it is marshalled.
type Parameters map[string]Secret

// MarshalJSON masks the values whose names are those of credentials.
func (p Parameters) MarshalJSON() ([]byte, error) {
	return json.Marshal(MaskHeaders(p.reveal()))
}

func (p Parameters) reveal() map[string]string {
	revealed := make(map[string]string, len(p))
	for name, value := range p {
		revealed[name] = value.Reveal()
	}
	return revealed
}

// HeaderName returns the name of the header that the type sets, in the spelling of net/http; empty:
// none. The header's value is a secret wherever it is shown.
func (a *Auth) HeaderName() string {
	switch a.Type {
	case AuthBasic, AuthBearer, AuthOAuth2:
		return authorization
	case AuthAPIKey:
		return textproto.CanonicalMIMEHeaderKey(a.Header)
	}
	return ""
}

// Validate checks only the authentication itself. CheckAuth of package webhook checks, when they
// are given, whether the token endpoint gives a token and the certificate is still valid. A
// certificate that expired later must not prevent a change of something else.
func (a *Auth) Validate() error {
	if a.Type != AuthNone && !slices.Contains(AuthTypes(), a.Type) {
		return InvalidField("auth.type", "%q is not a type; known: %s, %s, %s, %s, %s", a.Type, AuthBasic, AuthBearer, AuthAPIKey, AuthOAuth2, AuthMTLS)
	}
	if err := a.validateForeign(); err != nil {
		return err
	}
	switch a.Type {
	case AuthBasic:
		return a.validateBasic()
	case AuthBearer:
		return validateCredential("auth.token", a.Token)
	case AuthAPIKey:
		if err := ValidateOwnHeader("auth.header", a.Header); err != nil {
			return err
		}
		return validateCredential("auth.value", a.Value)
	case AuthOAuth2:
		return a.validateOAuth2()
	case AuthMTLS:
		_, err := a.ClientCertificate()
		return err
	}
	return nil
}

// validateForeign refuses fields that the type does not use, because they would be stored without
// effect.
func (a *Auth) validateForeign() error {
	for _, field := range []struct {
		name  string
		given bool
		of    AuthType
	}{
		{"username", a.Username != "", AuthBasic},
		{"password", a.Password != "", AuthBasic},
		{"token", a.Token != "", AuthBearer},
		{"header", a.Header != "", AuthAPIKey},
		{"value", a.Value != "", AuthAPIKey},
		{"token_url", a.TokenURL != "", AuthOAuth2},
		{"client_id", a.ClientID != "", AuthOAuth2},
		{"client_secret", a.ClientSecret != "", AuthOAuth2},
		{"scopes", len(a.Scopes) > 0, AuthOAuth2},
		{"parameters", len(a.Parameters) > 0, AuthOAuth2},
		{"certificate", a.Certificate != "", AuthMTLS},
		{"private_key", a.PrivateKey != "", AuthMTLS},
	} {
		if field.given && field.of != a.Type {
			return InvalidField("auth."+field.name, "is for the type %s only", field.of)
		}
	}
	return nil
}

// validateBasic allows an empty password, as RFC 7617 does.
func (a *Auth) validateBasic() error {
	switch {
	case a.Username == "":
		return InvalidField("auth.username", "is required")
	case LongerThan(a.Username, maxAuthText):
		return InvalidField("auth.username", "is longer than %d characters", maxAuthText)
	case strings.Contains(a.Username, ":"):
		return InvalidField("auth.username", "may not hold a colon")
	case strings.ContainsFunc(a.Username, IsControl):
		return InvalidField("auth.username", "may not hold control characters")
	case len(a.Password) > maxAuthSecret:
		return InvalidField("auth.password", "is longer than %d bytes", maxAuthSecret)
	case strings.ContainsFunc(a.Password.Reveal(), IsControl):
		return InvalidField("auth.password", "may not hold control characters")
	}
	return nil
}

// validateCredential checks a secret that is sent as a header's value.
func validateCredential(field string, secret Secret) error {
	text := secret.Reveal()
	switch {
	case text == "":
		return InvalidField(field, "is required")
	case len(text) > maxAuthSecret:
		return InvalidField(field, "is longer than %d bytes", maxAuthSecret)
	case !IsPrintableASCII(text) || strings.TrimSpace(text) != text:
		return InvalidField(field, "must be printable ASCII, without spaces at its ends")
	}
	return nil
}

func (a *Auth) validateOAuth2() error {
	if err := ValidateURL("auth.token_url", a.TokenURL); err != nil {
		return err
	}
	switch {
	case HoldsTemplate(a.TokenURL):
		return InvalidField("auth.token_url", "may not hold placeholders")
	case a.ClientID == "":
		return InvalidField("auth.client_id", "is required")
	case LongerThan(a.ClientID, maxAuthText):
		return InvalidField("auth.client_id", "is longer than %d characters", maxAuthText)
	case !IsPrintableASCII(a.ClientID):
		return InvalidField("auth.client_id", "must be printable ASCII")
	case a.ClientSecret == "":
		return InvalidField("auth.client_secret", "is required")
	case len(a.ClientSecret) > maxAuthSecret:
		return InvalidField("auth.client_secret", "is longer than %d bytes", maxAuthSecret)
	case strings.ContainsFunc(a.ClientSecret.Reveal(), IsControl):
		return InvalidField("auth.client_secret", "may not hold control characters")
	case len(a.Scopes) > maxScopes:
		return InvalidField("auth.scopes", "has more than %d entries", maxScopes)
	}
	for _, scope := range a.Scopes {
		if scope == "" || len(scope) > maxScope || !IsPrintableASCII(scope) || strings.ContainsAny(scope, ` "\`) {
			return InvalidField("auth.scopes", "%q is not a scope", scope)
		}
	}
	return a.validateParameters()
}

var parameterPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}$`)

// validateParameters refuses parameters that other fields set, or that would make it a different
// kind of request.
func (a *Auth) validateParameters() error {
	const field = "auth.parameters"
	if len(a.Parameters) > maxParameters {
		return InvalidField(field, "has more than %d entries", maxParameters)
	}
	for name, value := range a.Parameters {
		if !parameterPattern.MatchString(name) {
			return InvalidField(field, "has a name that is not 1 to 100 letters, digits, and _ . -")
		}
		switch strings.ToLower(name) {
		case "scope":
			return InvalidField(field+"."+name, "may not be set: it is auth.scopes")
		case "client_id", "client_secret":
			return InvalidField(field+"."+name, "may not be set: it is auth.%s", strings.ToLower(name))
		case "grant_type":
			return InvalidField(field+"."+name, "may not be set: it is client_credentials")
		}
		if text := value.Reveal(); text == "" || len(text) > maxParameter || !utf8.ValidString(text) || strings.ContainsFunc(text, IsControl) {
			return InvalidField(field+"."+name, "must be 1 to %d bytes of text without control characters", maxParameter)
		}
	}
	return nil
}

// validateAuth checks the authentication, and that no two parts of the
// subscription set the same header.
func (s *Subscription) validateAuth() error {
	if err := s.Auth.Validate(); err != nil {
		return err
	}
	if s.Auth.Type == AuthMTLS && !strings.HasPrefix(strings.ToLower(s.Request.URL), "https:") {
		return InvalidField("auth.type", "%s needs an address with https://", AuthMTLS)
	}
	auth, signature := s.Auth.HeaderName(), textproto.CanonicalMIMEHeaderKey(s.Signature.Header)
	if auth != "" && auth == signature {
		return InvalidField("signature.header", "is the header that auth sets")
	}
	for name := range s.Request.Headers {
		switch textproto.CanonicalMIMEHeaderKey(name) {
		case auth:
			return InvalidField("request.headers."+name, "is set by auth of the type %s: leave one of them out", s.Auth.Type)
		case signature:
			return InvalidField("signature.header", "is among request.headers too: leave one of them out")
		}
	}
	return nil
}
