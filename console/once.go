package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// onceField is the form field with a new value each time the form is shown.
const onceField = "once"

// onceInput is in every form that acts by a POST to the API. If the form is sent twice, for example
// by a double click, it acts once.
func onceInput() template.HTML {
	return template.HTML(`<input type="hidden" name="` + onceField + `" value="` + rand.Text() + `">`) //nolint:gosec // letters and digits
}

// once makes the form's call safe to repeat. The typed values are part of the key. So a form that
// was corrected after an error counts as another form, even if the browser went back to it.
func (v *visit) once() client.Option {
	if v.request.PostFormValue(onceField) == "" {
		return func(http.Header) {}
	}
	sum := sha256.Sum256([]byte(v.request.URL.RequestURI() + "\x00" + v.request.PostForm.Encode()))
	return client.IdempotencyKey(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// How often, and for how long, the second of two equal requests waits for the first.
const (
	firstsTries = 10
	firstsPause = 200 * time.Millisecond
)

// patient makes requests to the API. If the same request is still being executed, the API answers
// 409 with Retry-After. patient then repeats the request until it gets the answer of the first.
type patient struct{ http.RoundTripper }

func (p patient) RoundTrip(r *http.Request) (*http.Response, error) {
	for tries := 1; ; tries++ {
		answered, err := p.RoundTripper.RoundTrip(r)
		if err != nil || answered.StatusCode != http.StatusConflict || tries == firstsTries || r.GetBody == nil ||
			r.Header.Get(switchboard.IdempotencyHeader) == "" || !isNumber(answered.Header.Get("Retry-After")) {
			return answered, err
		}
		_, _ = io.Copy(io.Discard, answered.Body)
		_ = answered.Body.Close()
		select {
		case <-r.Context().Done():
			return nil, r.Context().Err()
		case <-time.After(firstsPause):
		}
		again := r.Clone(r.Context())
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
		r = again
	}
}

func isNumber(text string) bool {
	_, err := strconv.Atoi(text)
	return err == nil
}
