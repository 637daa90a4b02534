package api

import (
	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

// auth is endpoint authentication as it is shown: secrets are masked.
type auth struct {
	Type         switchboard.AuthType `json:"type" enum:"basic,bearer,api_key,oauth2,mtls" example:"bearer"`
	Username     string               `json:"username,omitempty"`
	Password     string               `json:"password,omitempty" doc:"Masked"`
	Token        string               `json:"token,omitempty" doc:"Masked" example:"[redacted]"`
	Header       string               `json:"header,omitempty"`
	Value        string               `json:"value,omitempty" doc:"Masked"`
	TokenURL     string               `json:"token_url,omitempty"`
	ClientID     string               `json:"client_id,omitempty"`
	ClientSecret string               `json:"client_secret,omitempty" doc:"Masked"`
	Scopes       []string             `json:"scopes,omitempty" nullable:"false"`
	Parameters   map[string]string    `json:"parameters,omitempty" doc:"Values whose names are those of credentials are masked"`
	Certificate  string               `json:"certificate,omitempty"`
	PrivateKey   string               `json:"private_key,omitempty" doc:"Masked"`
}

// authOf is nil where there is no authentication.
func authOf(a *switchboard.Auth) *auth {
	if a.Type == switchboard.AuthNone {
		return nil
	}
	return &auth{
		Type: a.Type, Username: a.Username, Password: masked(a.Password), Token: masked(a.Token), Header: a.Header, Value: masked(a.Value),
		TokenURL: a.TokenURL, ClientID: a.ClientID, ClientSecret: masked(a.ClientSecret), Scopes: a.Scopes, Parameters: nil,
		Certificate: a.Certificate, PrivateKey: masked(a.PrivateKey),
	}
}

// masked tells that there is a secret, and not which.
func masked(s switchboard.Secret) string {
	if s == "" {
		return ""
	}
	return switchboard.Mask
}

type authInput struct {
	clearable
	Type         *switchboard.AuthType `json:"type,omitempty" enum:"basic,bearer,api_key,oauth2,mtls" doc:"oauth2: a token by client credentials; if the receiver refuses it, by 401 or by a 403 that may mean an expired token, the same attempt sends the request once more with a new one, and records that. mtls: a client certificate" example:"bearer"`
	Username     *string               `json:"username,omitempty" doc:"Of basic" maxLength:"1024"`
	Password     *switchboard.Secret   `json:"password,omitempty" doc:"Of basic. It is stored encrypted and never shown, as every secret here; the mask sent back keeps what is stored. Another token_url, or another host in the url, needs it again"`
	Token        *switchboard.Secret   `json:"token,omitempty" doc:"Of bearer" example:"s3cr3t"`
	Header       *string               `json:"header,omitempty" doc:"Of api_key: the header that holds it" maxLength:"200"`
	Value        *switchboard.Secret   `json:"value,omitempty" doc:"Of api_key: the key"`
	TokenURL     *string               `json:"token_url,omitempty" doc:"Of oauth2: the token endpoint; it is asked for a token when this is saved" maxLength:"2048"`
	ClientID     *string               `json:"client_id,omitempty" doc:"Of oauth2" maxLength:"1024"`
	ClientSecret *switchboard.Secret   `json:"client_secret,omitempty" doc:"Of oauth2"`
	Scopes       *[]string             `json:"scopes,omitempty" nullable:"false" doc:"Of oauth2" maxItems:"50"`
	Parameters   *map[string]string    `json:"parameters,omitempty" doc:"Of oauth2: at most 20 further parameters of the request for a token, as audience and resource. In a change they replace all. They are stored encrypted; values whose names are those of credentials are masked, and kept, as headers are"`
	Certificate  *string               `json:"certificate,omitempty" doc:"Of mtls: the client's certificate with its chain, in PEM"`
	PrivateKey   *switchboard.Secret   `json:"private_key,omitempty" doc:"Of mtls: in PEM, not encrypted"`
}

// merge starts afresh with another type: what belongs to the one before would stay
// and do nothing.
func (in *authInput) merge(a *switchboard.Auth) error {
	if in == nil {
		return nil
	}
	if in.cleared || in.Type != nil && *in.Type != a.Type {
		*a = switchboard.Auth{}
	}
	set(&a.Type, in.Type)
	set(&a.Username, in.Username)
	set(&a.Header, in.Header)
	if err := setURL("auth.token_url", &a.TokenURL, in.TokenURL); err != nil {
		return err
	}
	set(&a.ClientID, in.ClientID)
	set(&a.Scopes, in.Scopes)
	set(&a.Certificate, in.Certificate)
	if in.Parameters != nil {
		parameters, err := mergeParameters(*in.Parameters, a.Parameters)
		if err != nil {
			return err
		}
		a.Parameters = parameters
	}
	for _, s := range []struct {
		field  string
		stored *switchboard.Secret
		given  *switchboard.Secret
	}{
		{"auth.password", &a.Password, in.Password},
		{"auth.token", &a.Token, in.Token},
		{"auth.value", &a.Value, in.Value},
		{"auth.client_secret", &a.ClientSecret, in.ClientSecret},
		{"auth.private_key", &a.PrivateKey, in.PrivateKey},
	} {
		if s.given == nil || s.given.Reveal() != switchboard.Mask {
			set(s.stored, s.given)
		} else if *s.stored == "" {
			return nothingKept(s.field)
		}
	}
	return nil
}

// mergeParameters puts the stored values in the place of masks.
func mergeParameters(given map[string]string, stored map[string]switchboard.Secret) (map[string]switchboard.Secret, error) {
	var merged map[string]switchboard.Secret
	for name, value := range given {
		secret, found := switchboard.Secret(value), true
		if value == switchboard.Mask {
			secret, found = stored[name]
		}
		if !found {
			return nil, nothingKept("auth.parameters." + rest.Clip(name))
		}
		if merged == nil {
			merged = make(map[string]switchboard.Secret, len(given))
		}
		merged[name] = secret
	}
	return merged, nil
}
