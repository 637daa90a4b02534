// Package console is the support console: pages for people, under /console.
//
// It uses the client package. Each page makes a few calls to the API, in-process and as the
// person who is signed in, so that roles, masks and tenancy are decided in one place. The
// console itself only keeps sessions.
package console

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// Root is the path of the console's first page; all others are below it.
const Root = switchboard.ConsolePath

// API is the connection to the API.
type API interface {
	// Transport makes requests to the API as that caller.
	Transport(caller switchboard.Caller) http.RoundTripper
}

// Config is what the console needs.
type Config struct {
	API      API      // required
	Sessions Sessions // required

	Logger *slog.Logger     // one line per request; nil: slog.Default
	Now    func() time.Time // nil: time.Now

	// PublicURL is the address by which people reach the console, such as
	// https://switchboard.example.com, for links that leave it; empty: such links use the host of
	// the request.
	PublicURL string

	// Proxies are the addresses of the proxies in front of the console. Their headers are trusted.
	Proxies []netip.Prefix
	// Proxy lets them sign people in; nil: they do not.
	Proxy *Proxy
	// NoKeys stops people from signing in with API keys.
	NoKeys bool
	// Brand is the look of the portal.
	Brand Brand
}

// Console serves the pages. It does not change after New.
type Console struct {
	Config
	mux    *http.ServeMux
	pages  pages
	assets *assets
	brand  *brandFiles

	crossOrigin *http.CrossOriginProtection
	tries       *tries
}

// New makes the console. The error names the field of the config at fault.
func New(config Config) (*Console, error) {
	switch {
	case config.API == nil:
		return nil, errors.New("console: Config.API is required")
	case config.Sessions == nil:
		return nil, errors.New("console: Config.Sessions is required")
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	files, err := newAssets()
	if err != nil {
		return nil, fmt.Errorf("console: assets: %w", err)
	}
	parsed, err := parsePages(files)
	if err != nil {
		return nil, fmt.Errorf("console: templates: %w", err)
	}
	c := &Console{Config: config, mux: http.NewServeMux(), pages: parsed, assets: files}
	if err := c.secure(); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	for _, r := range c.routes() {
		c.mux.HandleFunc(r.pattern, c.serve(r))
	}
	c.mux.Handle("GET "+assetsPath, files)
	c.mux.Handle("GET "+brandPath, c.brand)
	return c, nil
}

// secure sets up what keeps strangers out, and the files of the brand.
func (c *Console) secure() (err error) {
	if c.Proxy != nil {
		if err := c.Proxy.check(); err != nil {
			return err
		}
		if len(c.Proxies) == 0 {
			return errors.New("Config.Proxy needs Config.Proxies")
		}
	}
	if c.crossOrigin, err = newCrossOrigin(c.PublicURL); err != nil {
		return err
	}
	if c.tries, err = newTries(); err != nil {
		return err
	}
	c.brand, err = newBrandFiles(c.Brand)
	return err
}

// routes returns the routes of all pages. Each file of a page has its own routes.
func (c *Console) routes() []route {
	return slices.Concat(
		c.commonRoutes(),
		c.signInRoutes(),
		c.overviewRoutes(),
		c.deliveriesRoutes(),
		c.searchRoutes(),
		c.eventRoutes(),
		c.operationRoutes(),
		c.keyRoutes(),
		c.auditRoutes(),
		c.tryItRoutes(),
		c.deliveryRoutes(),
		c.subscriptionRoutes(),
		c.catalogueRoutes(),
	)
}

// commonRoutes are the routes that belong to no particular page.
func (c *Console) commonRoutes() []route {
	return []route{
		{"GET /console/banner", readers, c.banner},
		{"/console/", readers, func(v *visit) (answer, error) { return answer{}, errNoPage(v.request.URL.Path) }},
	}
}

// ServeHTTP answers a request below /console.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.logged(w, r, func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		if err := c.checkSender(r); err != nil {
			v := c.newVisit(w, r)
			c.write(v, errorPage(v, err))
			return
		}
		c.mux.ServeHTTP(w, r)
	})
}
