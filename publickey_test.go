package switchboard

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The key of RFC 8037, appendix A, with the thumbprint that the RFC gives for it.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	const private = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
	keys := PublicKeys([]SigningSecret{
		{Secret: NewSigningSecret(SchemeStandard)}, {Secret: private}, {Secret: "whsk_%%%"}, {Secret: private, ExpiresAt: time.Unix(9, 0)},
	})
	if len(keys) != 2 || !keys[0].ExpiresAt.IsZero() || !keys[1].ExpiresAt.Equal(time.Unix(9, 0)) {
		t.Fatalf("%+v; want two keys", keys)
	}
	if want := "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="; keys[0].Text != want || len(keys[0].Key) != 32 {
		t.Errorf("%s; want %s", keys[0].Text, want)
	}
	encoded, err := json.Marshal(JSONWebKeys(keys[:1]))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",` +
		`"kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","use":"sig","alg":"EdDSA"}]}`
	if diff := cmp.Diff(want, string(encoded)); diff != "" {
		t.Errorf("JWKS (-want +got):\n%s", diff)
	}
	if strings.Contains(string(encoded), "nWGxne") {
		t.Error("the listing holds the private key")
	}
	if none, err := json.Marshal(JSONWebKeys(PublicKeys(nil))); err != nil || string(none) != `{"keys":[]}` {
		t.Errorf("%s, %v; want an empty list", none, err)
	}
}
