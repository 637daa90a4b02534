package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// person is signed in to the console, with separate connections.
type person struct {
	base   string
	http   *http.Client
	cookie string
}

// tagHeader identifies the content of a part of a page. A part that has not changed is answered
// without content.
const tagHeader = "HX-PTag"

// signIn begins a session of the console with its form.
func signIn(ctx context.Context, base string, key switchboard.Secret) (*person, error) {
	p := &person{base: base, http: &http.Client{
		Transport: &http.Transport{}, Timeout: callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	form := url.Values{"name": {"bench"}, "key": {key.Reveal()}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/console/sign-in", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", base)
	answer, err := p.http.Do(r)
	if err != nil {
		return nil, err
	}
	if err := answer.Body.Close(); err != nil {
		return nil, err
	}
	for _, c := range answer.Cookies() {
		if c.Value != "" {
			p.cookie = c.Name + "=" + c.Value
		}
	}
	if p.cookie == "" {
		return nil, fmt.Errorf("the console's sign-in is answered %s without a session", answer.Status)
	}
	return p, nil
}

// get reads a page, or a part of one unless the part still has that tag. It returns the current
// tag.
func (p *person) get(ctx context.Context, path, tag string) (html []byte, now string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+path, nil)
	if err != nil {
		return nil, "", err
	}
	r.Header.Set("Cookie", p.cookie)
	if tag != "" {
		r.Header.Set(tagHeader, tag)
	}
	answer, err := p.http.Do(r)
	if err != nil {
		return nil, "", err
	}
	html, err = io.ReadAll(answer.Body)
	err = errors.Join(err, answer.Body.Close())
	if err == nil && answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNotModified {
		err = fmt.Errorf("GET %s is answered %s", path, answer.Status)
	}
	return html, answer.Header.Get(tagHeader), err
}

// close closes their connections; the session ends by itself.
func (p *person) close() { p.http.CloseIdleConnections() }
