package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// view is a size and a colour scheme.
type view struct {
	name          string
	width, height int64
	scheme        string
}

// views are those of a desk and of a phone, light and dark. A visitor begins with the first.
var views = [...]view{
	{"desk-light", 1280, 720, "light"},
	{"desk-dark", 1280, 720, "dark"},
	{"phone-light", 390, 844, "light"},
	{"phone-dark", 390, 844, "dark"},
}

const (
	// barriers are what axe finds in the current page, by the rules of WCAG 2.2 A and AA.
	barriers = `axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"], resultTypes: ["violations"]}).then(found =>
		found.violations.flatMap(rule => rule.nodes.map(node => rule.id + ": " + node.target.join(" ") + ": " + node.failureSummary.replace(/\s+/g, " "))))`
	// wide are the elements that extend beyond the right edge, without the elements that contain
	// them.
	wide = `[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1 &&
		![...e.children].some(c => c.getBoundingClientRect().right > innerWidth + 1)).slice(0, 5).map(e => e.outerHTML.slice(0, 120)).join("\n")`
)

// checkPage checks the visitor's page in every view, and fails the test for each finding.
func (v *visitor) checkPage(name string) {
	v.t.Helper()
	for _, finding := range v.findings(name) {
		v.t.Error(finding)
	}
}

// findings are what is wrong with the visitor's page, in any view.
func (v *visitor) findings(name string) []string {
	v.t.Helper()
	evaluate[bool](v, v.axe+"; true")
	var found []string
	for _, at := range views {
		v.look(at)
		v.capture(name + "." + at.name)
		if width := evaluate[[]int](v, `[document.documentElement.scrollWidth, innerWidth]`); width[0] > width[1] {
			found = append(found, fmt.Sprintf("%s: the page is %d px wide, and %d are seen; beyond them is %s", at.name, width[0], width[1], evaluate[string](v, wide)))
		}
		for _, barrier := range evaluate[[]string](v, barriers) {
			found = append(found, at.name+": "+barrier)
		}
	}
	v.look(views[0])
	found = append(found, v.takeFaults()...)
	for i := range found {
		found[i] = name + ": " + found[i]
	}
	return found
}

// The harness finds faults; otherwise no page could fail.
func TestHarness(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:")
		switch r.URL.Path {
		case "/good":
			_, _ = io.WriteString(w, `<!doctype html><html lang="en"><title>Good</title><link rel="icon" href="data:,"><main><h1>Good</h1></main>`)
		case "/bad":
			_, _ = io.WriteString(w, `<!doctype html><html lang="en"><title>Bad</title><main><h1 style="color:red">Bad</h1><input>
				<pre>`+strings.Repeat("wide", 400)+`</pre><script src="/gone.js"></script><script src="/bad.js"></script></main>`)
		case "/bad.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = io.WriteString(w, `console.log("chatter"); throw new Error("thrown")`)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	v := browser.newVisitor(t, server.URL)
	v.visit("/bad")
	found := strings.Join(v.findings("bad"), "\n")
	for _, want := range []string{"inline style", "/gone.js: 404", "chatter", "thrown", "label", "px wide"} {
		if !strings.Contains(found, want) {
			t.Errorf("%q is not among the findings:\n%s", want, found)
		}
	}
	v.visit("/good")
	for _, finding := range v.findings("good") {
		t.Error(finding)
	}
	v.withoutScripts()
	v.visit("/bad")
	if found := strings.Join(v.takeFaults(), "\n"); strings.Contains(found, "chatter") {
		t.Errorf("a script ran, although they are switched off: %s", found)
	}
}
