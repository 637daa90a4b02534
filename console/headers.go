package console

import (
	"net/http"
	"net/url"

	"github.com/seed-49a43567/switchboard"
)

// setHeaders sets the headers of every answer. The policy lets nothing run and nothing load that is
// not a file of ours, and nobody frame a page.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, a form would be posted with "Origin: null"
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
}

// newCrossOrigin makes the check of what another site's page may have sent. The public address is
// trusted too: a proxy in front may have changed the host.
func newCrossOrigin(publicURL string) (*http.CrossOriginProtection, error) {
	check := http.NewCrossOriginProtection()
	if publicURL == "" {
		return check, nil
	}
	u, err := url.Parse(publicURL)
	if err != nil {
		return nil, err
	}
	return check, check.AddTrustedOrigin(u.Scheme + "://" + u.Host)
}

// checkSender refuses what a page of another site has sent. The check itself lets through what has
// neither of the headers by which it judges, since that is no browser: nothing but a browser is to
// use the console.
func (c *Console) checkSender(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	refused := switchboard.Errorf(switchboard.CodeForbidden, "this was not sent by a page of the console")
	if r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "" {
		return refused
	}
	if err := c.crossOrigin.Check(r); err != nil {
		return refused
	}
	return nil
}
