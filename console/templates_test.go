package console

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allowedAttributes are the attributes of htmx that templates may use. Others evaluate code, or
// have changed their meaning between the versions of htmx (console.md, section 6).
var allowedAttributes = []string{"hx-get", "hx-post", "hx-target", "hx-swap", "hx-trigger", "hx-push-url", "hx-sync"}

var (
	htmxAttribute = regexp.MustCompile(`\s((?:data-)?hx-[a-z0-9:.-]+)`)
	triggerFilter = regexp.MustCompile(`hx-trigger="[^"]*\[`)
	inlineStyle   = regexp.MustCompile(`(?i)\sstyle\s*=|<style`)
	inlineScript  = regexp.MustCompile(`(?i)<script(?:>|\s[^>]*>[^<])`)
	onAttribute   = regexp.MustCompile(`(?i)\son[a-z]+\s*=`)
	scriptURL     = regexp.MustCompile(`(?i)javascript:`)
)

// faultsOfTemplate returns what the pages' policy would block, or what may not be used.
func faultsOfTemplate(text string) (faults []string) {
	for _, found := range htmxAttribute.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(allowedAttributes, found[1]) {
			faults = append(faults, found[1])
		}
	}
	for what, pattern := range map[string]*regexp.Regexp{
		"a filter of a trigger": triggerFilter, "an inline style": inlineStyle, "an inline script": inlineScript, "a handler": onAttribute, "a script as an address": scriptURL,
	} {
		if pattern.MatchString(text) {
			faults = append(faults, what)
		}
	}
	return faults
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(templateFiles, "templates/*.html")
	must(t, err)
	for _, name := range names {
		text, err := fs.ReadFile(templateFiles, name)
		must(t, err)
		for _, fault := range faultsOfTemplate(string(text)) {
			t.Errorf("%s has %s", name, fault)
		}
	}
	for _, fault := range faultsOfTemplate(" " + string(live("rows", 5))) {
		t.Errorf("live elements have %s", fault)
	}
	script, err := fs.ReadFile(assetFiles, "assets/console.js")
	must(t, err)
	for _, word := range []string{"eval(", "Function(", "innerHTML", "outerHTML =", "insertAdjacentHTML", "document.write"} {
		if strings.Contains(string(script), word) {
			t.Errorf("console.js has %s", word)
		}
	}
}

// TestFaultsOfTemplate: the test above can fail.
func TestFaultsOfTemplate(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`<a hx-get="/x" hx-swap="outerMorph">x</a><script src="/a.js" defer></script>`: 0,
		`<a hx-on:click="alert(1)">x</a>`:                                              1,
		`<a hx-vals='js:{a:1}'>x</a>`:                                                  1,
		`<a data-hx-confirm="sure?">x</a>`:                                             1,
		`<a hx-get="/x" hx-trigger="click[ctrlKey]">x</a>`:                             1,
		`<p style="color:red">x</p>`:                                                   1,
		`<style>p{}</style>`:                                                           1,
		`<script>alert(1)</script>`:                                                    1,
		`<script type="application/json">{}</script>`:                                  1,
		`<img src="x" onerror="alert(1)">`:                                             1,
		`<a href="javascript:alert(1)">x</a>`:                                          1,
		`<p>on = off</p><p class="style">hx-get is no word</p>`:                        0,
	} {
		if got := faultsOfTemplate(text); len(got) != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}
