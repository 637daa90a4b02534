package webhook

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"switchboard"
)

// To tell the size of a text, each of its letters is looked at: a template that asks
// again and again took 15 s of a worker.
func TestSizesArePaidFor(t *testing.T) {
	t.Parallel()
	render := func(times int) error {
		params := `{"a":"` + strings.Repeat("{{a.size}}", times) + `"}`
		_, err := NewRenderer(nil).Render(switchboard.Work{
			Event: switchboard.Event{Data: []byte(`{"a":"` + strings.Repeat("é", 100<<10) + `"}`)},
			Subscription: switchboard.Subscription{Request: switchboard.Request{
				Method: "POST", URL: "https://a.example/", Body: switchboard.Params, Params: []byte(params), ContentType: "application/json",
			}},
		})
		return err
	}
	if err := render(5); err != nil {
		t.Errorf("a few: %v", err)
	}
	if err := render(500); err == nil || !strings.Contains(err.Error(), "too much work") {
		t.Errorf("500 sizes of a text of 200 KiB: %v; want it to be too much work", err)
	}
}

// What a token endpoint adds to its answer is not kept with the token.
func TestOnlyTheTokenIsKept(t *testing.T) {
	t.Parallel()
	login := newLogin(t, &login{instead: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"access_token":"tok","expires_in":60,"filler":"`+strings.Repeat("x", 50<<10)+`"}`)
	}})
	auth := login.auth()
	got, err := setup(t, nil).fetchToken(t.Context(), &auth, oauth2.AuthStyleAutoDetect)
	if err != nil {
		t.Fatal(err)
	}
	if got.token.AccessToken != "tok" || got.token.Expiry.IsZero() || got.token.Extra("filler") != nil {
		t.Errorf("kept %q until %s, and of the rest %v", got.token.AccessToken, got.token.Expiry, got.token.Extra("filler") != nil)
	}
}
