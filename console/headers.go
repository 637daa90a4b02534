package console

import (
	"net/http"
	"net/url"

	"github.com/seed-49a43567/switchboard"
)

// setHeaders sets the headers of every answer. The policy allows only our own files to run or load,
// and nobody to frame a page.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer, a form would be posted with "Origin: null"
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
}

// newCrossOrigin makes the check for requests from other sites' pages. It also trusts the public
// address, because a proxy in front may have changed the host.
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

// checkSender refuses requests from pages of other sites. The check itself allows requests that
// have neither of the headers that it uses, because they do not come from a browser. But only
// browsers may use the console.
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
