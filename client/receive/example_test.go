package receive_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seed-49a43567/switchboard/client/receive"
)

// Example is a receiver during a rotation of its secret: it accepts signatures by either one.
func Example() {
	verifier, err := receive.New(receive.Config{Secrets: []string{newer, older}})
	if err != nil {
		log.Fatal(err)
	}
	seen := map[string]bool{} // a real receiver stores this in its database
	handler := verifier.Handler(func(w http.ResponseWriter, _ *http.Request, m receive.Message) {
		if !seen[m.ID] {
			seen[m.ID] = true
			fmt.Println("got", m.ID, string(m.Body))
		}
		w.WriteHeader(http.StatusNoContent)
	})

	// Switchboard's part: two genuine deliveries, and one from somebody else.
	for _, secret := range []string{newer, older, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} {
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, webhook(secret))
		fmt.Println(answer.Code)
	}
	// Output:
	// got evt_1 {"type":"ticket.created"}
	// 204
	// 204
	// 401
}

// webhook returns a request that is signed with the secret.
func webhook(secret string) *http.Request {
	const body = `{"type":"ticket.created"}`
	at := time.Now()
	r := httptest.NewRequest("POST", "/hook", strings.NewReader(body))
	key, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		log.Fatal(err)
	}
	signature, err := key.Sign("evt_1", at, []byte(body))
	if err != nil {
		log.Fatal(err)
	}
	r.Header.Set("webhook-id", "evt_1")
	r.Header.Set("webhook-timestamp", fmt.Sprint(at.Unix()))
	r.Header.Set("webhook-signature", signature)
	return r
}
