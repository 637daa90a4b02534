package signing

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

// The key of RFC 8037, appendix A, with its thumbprint from the RFC.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	const private = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
	secrets := []switchboard.SigningSecret{
		{Secret: private}, {Secret: NewSecret(Standard), ExpiresAt: time.Unix(9, 0)},
		{Secret: "whsk_%%%", ExpiresAt: time.Unix(9, 0)}, {Secret: private, ExpiresAt: time.Unix(9, 0)}, {Secret: private, ExpiresAt: time.Unix(7, 0)},
	}
	keys := PublicKeys(StandardEd25519, secrets, time.Unix(8, 0))
	if len(keys) != 2 || !keys[0].ExpiresAt.IsZero() || !keys[1].ExpiresAt.Equal(time.Unix(9, 0)) {
		t.Fatalf("%+v; want two keys", keys)
	}
	if want := "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="; keys[0].Text != want || len(keys[0].Key) != 32 {
		t.Errorf("%s; want %s", keys[0].Text, want)
	}
	encoded, err := json.Marshal(JSONWebKeys(keys))
	if err != nil {
		t.Fatal(err)
	}
	key := `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",` +
		`"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","use":"sig","alg":"EdDSA"`
	want := `{"keys":[` + key + `},` + key + `,"expires_at":"1970-01-01T00:00:09Z"}]}`
	if diff := cmp.Diff(want, string(encoded)); diff != "" {
		t.Errorf("JWKS (-want +got):\n%s", diff)
	}
	if strings.Contains(string(encoded), "nWGxne") {
		t.Error("the listing holds the private key")
	}
	for _, scheme := range Schemes() {
		if has := len(PublicKeys(scheme, secrets, time.Unix(8, 0))) > 0; has != (scheme == StandardEd25519) || has != HasPublicKeys(scheme) {
			t.Errorf("%s: has public keys: %t", scheme, has)
		}
	}
	if none, err := json.Marshal(JSONWebKeys(nil)); err != nil || string(none) != `{"keys":[]}` {
		t.Errorf("%s, %v; want an empty list", none, err)
	}
}
