package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// pageTimeout limits how long a page or a condition on it may take. It is far more than they need.
const pageTimeout = 3 * time.Minute

// programs are the names of Chromium. The first one has no window at all, and starts fastest.
var programs = [...]string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"}

// chromium is the browser that the tests share. It starts when the first test needs it.
type chromium struct {
	once    sync.Once
	context context.Context
	cancel  context.CancelFunc
	dir     string
	axe     string // axe-core, which finds barriers. The debugger injects it, so the pages' policy does not apply
	err     error
}

func (c *chromium) start() {
	// chromedp panics if a browser cannot be started, so the test looks for it first.
	program := ""
	for _, name := range programs {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		c.err = fmt.Errorf("there is no %s: `make receivers` installs one", strings.Join(programs[:], ", "))
		return
	}
	script, err := os.ReadFile("../../../console/testdata/axe/axe.min.js")
	if c.axe, c.err = string(script), err; err != nil {
		return
	}
	if c.dir, c.err = os.MkdirTemp("", "switchboard-browser-"); c.err != nil {
		return
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(c.dir), chromedp.WindowSize(1280, 720),
		// The same colours in charts, and the same times in lists, wherever the tests run.
		chromedp.Env("TZ=UTC", "LANG=en_US.UTF-8"), chromedp.Flag("lang", "en-US"))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, stopBrowser := chromedp.NewContext(allocator)
	c.context, c.cancel = browser, func() { stopBrowser(); stopAllocator() }
	c.err = chromedp.Do(browser)
}

// stop ends the browser, and deletes its files.
func (c *chromium) stop() error {
	if c.cancel != nil {
		c.cancel()
	}
	if c.dir == "" {
		return nil
	}
	return os.RemoveAll(c.dir)
}

// visitor is a person at a browser, with their own cookies and one tab.
type visitor struct {
	t       *testing.T
	base    string // URL that paths are below
	axe     string
	context context.Context
	clicks  int

	mu     sync.Mutex
	faults []string          // what went wrong since the last takeFaults
	urls   map[string]string // of requests, by id
	expect []int             // expected statuses from 400 on
}

// newVisitor opens a tab for a person whom the server does not know.
func (c *chromium) newVisitor(t *testing.T, base string) *visitor {
	t.Helper()
	c.once.Do(c.start)
	if c.err != nil {
		t.Fatal(c.err)
	}
	v := &visitor{t: t, base: base, axe: c.axe, urls: map[string]string{}}
	tab, closeTab := chromedp.NewContext(c.context, chromedp.WithNewBrowserContext(), chromedp.WithListener(v.listen))
	t.Cleanup(closeTab)
	v.context = tab
	v.do(chromedp.EmulateViewport(1280, 720))
	return v
}

// listen collects what a page must not do: violate its policy, write to the console, or fail to
// load something.
func (v *visitor) listen(event any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		v.urls[string(e.RequestID)] = e.Request.URL
	case *network.EventLoadingFailed:
		if !e.Canceled {
			v.faults = append(v.faults, fmt.Sprintf("request failed: %s: %s %s", v.urls[string(e.RequestID)], e.ErrorText, e.BlockedReason))
		}
	case *network.EventResponseReceived:
		if status := int(e.Response.Status); status >= 400 && !slices.Contains(v.expect, status) {
			v.faults = append(v.faults, fmt.Sprintf("request failed: %s: %d", e.Response.URL, status))
		}
	case *log.EventEntryAdded:
		// The statuses are judged above.
		if e.Entry.Level != log.EntryLevelVerbose && e.Entry.Level != log.EntryLevelInfo && e.Entry.Source != log.EntrySourceNetwork {
			v.faults = append(v.faults, fmt.Sprintf("%s: %s (%s)", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventConsoleAPICalled:
		v.faults = append(v.faults, "console: "+string(e.Type)+" "+consoleText(e.Args))
	case *runtime.EventExceptionThrown:
		v.faults = append(v.faults, "exception: "+e.ExceptionDetails.Text+" "+consoleText([]*runtime.RemoteObject{e.ExceptionDetails.Exception}))
	}
}

func consoleText(arguments []*runtime.RemoteObject) string {
	var text []string
	for _, a := range arguments {
		if a != nil {
			text = append(text, string(a.Value)+a.Description)
		}
	}
	return strings.Join(text, " ")
}

// takeFaults returns what the browser reported since the last call.
func (v *visitor) takeFaults() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	faults := v.faults
	v.faults = nil
	return faults
}

// do runs steps in the visitor's tab.
func (v *visitor) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	ctx, cancel := v.limited()
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		v.fatal("the browser", err)
	}
}

// limited returns the visitor's context for one step. The tab itself has no limit, and must exist
// already.
func (v *visitor) limited() (context.Context, context.CancelFunc) {
	if chromedp.FromContext(v.context).Target == nil {
		return v.context, func() {}
	}
	return context.WithTimeout(v.context, pageTimeout)
}

func (v *visitor) fatal(what string, err error) {
	v.t.Helper()
	if name := v.capture("fault_" + strings.ReplaceAll(v.t.Name(), "/", "_")); name != "" {
		what += " (see " + name + ")"
	}
	v.t.Fatalf("%s: %v; faults: %q", what, err, v.takeFaults())
}

// visit loads a page by its address.
func (v *visitor) visit(path string) {
	v.t.Helper()
	v.do(chromedp.Navigate(v.base + path))
}

// evaluate returns the value of an expression in the visitor's page, after any promise.
func evaluate[T any](v *visitor, expression string) T {
	v.t.Helper()
	ctx, cancel := v.limited()
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		v.fatal(expression[:min(len(expression), 100)], err)
	}
	return value
}

// path is the visitor's current address, without the host.
func (v *visitor) path() string {
	v.t.Helper()
	return evaluate[string](v, `location.pathname + location.search`)
}

// text is the text of the page.
func (v *visitor) text() string {
	v.t.Helper()
	return evaluate[string](v, `document.body.innerText`)
}

// await returns when the expression is true in the page, and fails the test if it does not become so.
func (v *visitor) await(what, expression string) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.context, pageTimeout)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		// While a page is being left, an expression has no context, so it is evaluated again.
		if is, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")")); err == nil && is {
			return
		}
		select {
		case <-ctx.Done():
			v.fatal("not "+what, errors.Join(ctx.Err(), fmt.Errorf("the page is %s", v.location())))
		case <-poll.C:
		}
	}
}

// location is the visitor's current address, also while a page is being left.
func (v *visitor) location() string {
	ctx, cancel := v.limited()
	defer cancel()
	location, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return location
}

// awaitText returns when the page shows the text.
func (v *visitor) awaitText(text string) {
	v.t.Helper()
	v.await(fmt.Sprintf("showing %q", text), fmt.Sprintf(`document.body && document.body.innerText.includes(%q)`, text))
}

// click clicks the first visible link, button or other control whose words begin so, and counts it.
// The caller must wait for the result.
func (v *visitor) click(words string) {
	v.t.Helper()
	v.clicks++
	v.await(fmt.Sprintf("showing a control %q", words), fmt.Sprintf(controls, words)+`.length > 0`)
	at := evaluate[[]float64](v, fmt.Sprintf(`(() => {
		const [e] = `+controls+`;
		e.scrollIntoView({block: "center", behavior: "instant"});
		const box = e.getBoundingClientRect();
		return [box.x + box.width / 2, box.y + box.height / 2];
	})()`, words))
	v.do(chromedp.MouseClickXY(at[0], at[1]))
}

// controls are the clickable elements that begin with some words.
const controls = `[...document.querySelectorAll("a[href], button:enabled, summary, label")].filter(e => e.checkVisibility({visibilityProperty: true}) && e.innerText.trim().startsWith(%q))`

// follow clicks, and returns when the page at that path is there. The path may be the beginning of
// the page's path.
func (v *visitor) follow(words, path string) {
	v.t.Helper()
	v.click(words)
	v.awaitPath(path)
}

// awaitPath returns when the page at that path is there. The path may be the beginning of the
// page's path.
func (v *visitor) awaitPath(path string) {
	v.t.Helper()
	v.await("at "+path, fmt.Sprintf(`(location.pathname + location.search).startsWith(%q) && document.readyState === "complete"`, path))
}

// cookies is the header that identifies the visitor.
func (v *visitor) cookies() string {
	v.t.Helper()
	ctx, cancel := v.limited()
	defer cancel()
	found, err := chromedp.Call(ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{v.base + "/console"}})
	if err != nil {
		v.fatal("cookies", err)
	}
	var header []string
	for _, c := range found.Cookies {
		header = append(header, c.Name+"="+c.Value)
	}
	return strings.Join(header, "; ")
}

// keep stores a cookie from the server. The cookie says Secure, but the tests use http. On this
// machine's own address a browser accepts and sends such a cookie; here it is told that the cookie
// came over https.
func (v *visitor) keep(c *http.Cookie) {
	v.t.Helper()
	ctx, cancel := v.limited()
	defer cancel()
	params := network.SetCookieParams{
		Name: c.Name, Value: c.Value, URL: strings.Replace(v.base, "http://", "https://", 1) + "/", Path: c.Path, Secure: &c.Secure, HTTPOnly: &c.HttpOnly, SameSite: network.CookieSameSiteLax,
	}
	if _, err := chromedp.Call(ctx, network.SetCookie, params); err != nil {
		v.fatal("cookie", err)
	}
}

// fill fills a field of a form as typing does, without a click.
func (v *visitor) fill(selector, text string) {
	v.t.Helper()
	v.do(chromedp.Clear(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// press types keys, as a shortcut does.
func (v *visitor) press(keys string) {
	v.t.Helper()
	v.do(chromedp.KeyEvent(keys))
}

// submit posts a form by Enter in a field of it, and returns when the next page is there.
func (v *visitor) submit(selector string) {
	v.t.Helper()
	ctx, cancel := v.limited()
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.SendKeys(chromedp.CSS(selector), "\r"))); err != nil {
		v.fatal("submit "+selector, err)
	}
}

// withoutScripts disables JavaScript for pages that are opened later.
func (v *visitor) withoutScripts() {
	v.t.Helper()
	v.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
		return err
	}))
}

// named makes a proxy in front of the visitor name a person and their groups; empty: requests
// bypass the proxy.
func (v *visitor) named(person, groups string) {
	v.t.Helper()
	headers := network.Headers{}
	if person != "" {
		headers[personHeader], headers[groupsHeader] = person, groups
	}
	v.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: headers})
		return err
	}))
}

// look shows the page with one size and colour scheme.
func (v *visitor) look(at view) {
	v.t.Helper()
	v.do(chromedp.EmulateViewport(at.width, at.height), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: at.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
}

// picture returns what is visible, as a PNG.
func (v *visitor) picture() []byte {
	v.t.Helper()
	ctx, cancel := v.limited()
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		v.t.Fatal(err)
	}
	return picture
}

// capture stores a picture of what is visible, and returns its file name; empty: none.
func (v *visitor) capture(name string) string {
	ctx, cancel := v.limited()
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		return ""
	}
	file := filepath.Join(pictures, name+".png")
	if err := errors.Join(os.MkdirAll(pictures, 0o755), os.WriteFile(file, picture, 0o644)); err != nil {
		return ""
	}
	return file
}
