package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"text/template/parse"
	"time"
)

//go:embed templates
var templateFiles embed.FS

// partParameter requests one part of a page: the block of that name in the page's own template.
const partParameter = "part"

// answer is what the console shows.
type answer struct {
	template string // templates/{template}.html; empty: not a page
	title    string
	data     any
	block    string // shows only this block, whatever is requested
	charts   bool   // the page draws charts
	code     int    // 0: 200

	location string // redirects there
	file     *file
	text     string
}

type file struct {
	name    string
	content io.Reader
}

// page shows templates/{template}.html, which defines "content" and the parts that update
// themselves. They are executed with data, a struct of that page.
func page(template, title string, data any) answer {
	return answer{template: template, title: title, data: data}
}

// redirect leads to another page, for example after an action.
func redirect(to string) answer { return answer{location: to, code: http.StatusSeeOther} }

// download makes the browser store a file instead of showing it.
func download(name string, content io.Reader) answer {
	return answer{file: &file{name, content}}
}

// status shows the answer with that HTTP status. 422 and 409 show a form again.
func (a answer) status(code int) answer {
	a.code = code
	return a
}

// withCharts loads the script that draws charts.
func (a answer) withCharts() answer {
	a.charts = true
	return a
}

// pages are the templates by name.
type pages map[string]parsedPage

type parsedPage struct {
	*template.Template
	parts []string // the blocks that may be requested
}

// parsePages parses every page with the layout and the parts of all pages.
func parsePages(files *assets) (pages, error) {
	common, err := template.New("").Option("missingkey=error").Funcs(functions(files)).ParseFS(templateFiles, "templates/layout.html", "templates/*parts.html")
	if err != nil {
		return nil, err
	}
	names, err := templateFiles.ReadDir("templates")
	if err != nil {
		return nil, err
	}
	parsed := pages{}
	for _, entry := range names {
		if entry.Name() == "layout.html" || strings.HasSuffix(entry.Name(), "parts.html") {
			continue
		}
		own, err := common.Clone()
		if err != nil {
			return nil, err
		}
		if own, err = own.ParseFS(templateFiles, "templates/"+entry.Name()); err != nil {
			return nil, err
		}
		p := parsedPage{Template: own}
		if content := own.Lookup("content"); content != nil {
			p.addParts(common, content.Tree.Root)
		}
		parsed[strings.TrimSuffix(entry.Name(), path.Ext(entry.Name()))] = p
	}
	return parsed, nil
}

// addParts finds the blocks that are executed with the data of the whole page. Only these can be
// shown separately.
func (p *parsedPage) addParts(common *template.Template, node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, inner := range n.Nodes {
			p.addParts(common, inner)
		}
	case *parse.IfNode:
		p.addParts(common, n.List)
		p.addParts(common, n.ElseList)
	case *parse.TemplateNode:
		if n.Pipe == nil || n.Pipe.String() != "." || common.Lookup(n.Name) != nil || slices.Contains(p.parts, n.Name) {
			return
		}
		p.parts = append(p.parts, n.Name)
		p.addParts(common, p.Lookup(n.Name).Tree.Root)
	}
}

// write sends the answer. A failure before that becomes an error page.
func (c *Console) write(v *visit, a answer) {
	header := v.writer.Header()
	switch {
	case a.location != "":
		http.Redirect(v.writer, v.request, a.location, a.code)
	case a.file != nil:
		header.Set("Content-Type", "application/octet-stream")
		header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": a.file.name}))
		header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
		_, _ = io.Copy(v.writer, a.file.content) // fails only if the client has gone
	case a.template != "":
		c.writePage(v, a)
	default:
		header.Set("Content-Type", "text/plain; charset=utf-8")
		v.writer.WriteHeader(max(a.code, http.StatusOK))
		_, _ = io.WriteString(v.writer, a.text)
	}
}

func (c *Console) writePage(v *visit, a answer) {
	text, err := c.render(v, a)
	if err != nil {
		if a.template == errorTemplate { // the error page itself cannot be shown
			logOf(v.request).cause = err
			c.write(v, answer{text: "an internal error; the log has it under the request id " + requestID(v.request), code: http.StatusInternalServerError})
			return
		}
		c.write(v, errorPage(v, err))
		return
	}
	header := v.writer.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	if v.isPoll() && a.code == 0 {
		tag := tagOf(text)
		header.Set("HX-PTag", tag)
		if v.request.Header.Get("HX-PTag") == tag {
			v.writer.WriteHeader(http.StatusNotModified)
			return
		}
	}
	v.writer.WriteHeader(max(a.code, http.StatusOK))
	_, _ = v.writer.Write(text) // fails only if the client has gone
}

// tagOf identifies the current content of a part. The browser sends the tag with its next request,
// which is answered 304 if nothing has changed.
func tagOf(text []byte) string {
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// render executes the whole template before anything is sent.
func (c *Console) render(v *visit, a answer) ([]byte, error) {
	parsed, known := c.pages[a.template]
	if !known {
		return nil, fmt.Errorf("console: there is no template %s", a.template)
	}
	var text bytes.Buffer
	if block := a.block; block != "" {
		err := parsed.ExecuteTemplate(&text, block, a.data)
		return text.Bytes(), err
	}
	if v.isPoll() {
		part := v.request.URL.Query().Get(partParameter)
		if !slices.Contains(parsed.parts, part) {
			return nil, errNoPage(v.request.URL.Path + " with the part " + part)
		}
		err := parsed.ExecuteTemplate(&text, part, a.data)
		return text.Bytes(), err
	}
	var content bytes.Buffer
	if err := parsed.ExecuteTemplate(&content, "content", a.data); err != nil {
		return nil, err
	}
	shown := c.layoutOf(v, a)
	shown.Content, shown.Live = template.HTML(content.String()), bytes.Contains(content.Bytes(), []byte(` data-live="`)) //nolint:gosec // a template made it
	err := parsed.ExecuteTemplate(&text, "layout", shown)
	return text.Bytes(), err
}

// layout is what surrounds the content of a page.
type layout struct {
	Title   string
	Content template.HTML
	Live    bool // a part of the content updates itself
	Charts  bool

	SignedIn bool
	Name     string // who is signed in
	Role     string
	Tenant   string
	Verified bool
	Pages    []navigation
	TryIt    bool // the page for newcomers is for this person
	Search   string
	Banner   banner
	Now      time.Time
	Brand    shownBrand
}

// navigation is a page that the header leads to.
type navigation struct {
	Name    string
	Address string
	Key     string // the letter after g that leads there; empty: none
	Current bool
}

func (c *Console) layoutOf(v *visit, a answer) layout {
	shown := layout{Title: a.title, Charts: a.charts, Now: v.now, Brand: c.brandOf(v)}
	if v.session.ID == "" {
		return shown
	}
	caller := v.session.Caller
	shown.SignedIn, shown.Name, shown.Role, shown.Tenant, shown.Verified = true, caller.Person, string(caller.Role), caller.Tenant, v.session.Verified
	shown.Pages, shown.TryIt = navigationOf(v), operators.includes(&v.session)
	if v.request.URL.Path == linkSearch("") {
		shown.Search = v.request.URL.Query().Get("q")
	}
	if a.template != errorTemplate {
		shown.Banner = v.readBanner()
	}
	return shown
}

// navigationOf returns the pages that the person may use.
func navigationOf(v *visit) []navigation {
	var shown []navigation
	for _, p := range []struct {
		navigation
		who who
	}{
		{navigation{Name: "Overview", Address: Root, Key: "h"}, staff},
		{navigation{Name: "Deliveries", Address: Root + "/deliveries", Key: "d"}, readers},
		{navigation{Name: "Events", Address: Root + "/events", Key: "e"}, readers},
		{navigation{Name: "Subscriptions", Address: Root + "/subscriptions", Key: "s"}, readers},
		{navigation{Name: "Operations", Address: Root + "/operations", Key: "o"}, operators},
		{navigation{Name: "Catalogue", Address: Root + "/catalogue"}, readers},
		{navigation{Name: "Audit", Address: Root + "/audit"}, auditors},
		{navigation{Name: "Keys", Address: Root + "/keys"}, administrators},
	} {
		if !p.who.includes(&v.session) {
			continue
		}
		p.Current = v.request.URL.Path == p.Address || p.Address != Root && strings.HasPrefix(v.request.URL.Path, p.Address+"/")
		shown = append(shown, p.navigation)
	}
	return shown
}
