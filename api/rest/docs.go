package rest

import (
	"cmp"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"sync"

	"github.com/gin-gonic/gin"
)

// docs holds the documentation page and the Swagger UI that it shows. `make vendor-docs` fetches
// Swagger UI from npm.
//
//go:embed docs
var docs embed.FS

// docsPolicy allows the page to load its own files and to call only this API. Neither scripts nor
// styles are inline; Swagger UI's icons are data: URLs.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveDocs serves the OpenAPI document, and a page that shows it and tries it out.
func (s *Server) serveDocs(routes []Route) error {
	unused := maps.Clone(s.Prose.Operations)
	for i := range routes {
		delete(unused, routes[i].id)
	}
	if len(unused) > 0 {
		return fmt.Errorf("there is prose of operations that do not exist: %v", slices.Sorted(maps.Keys(unused)))
	}
	document := sync.OnceValues(s.document) // most processes never need it, and it takes longer to make than the rest
	s.engine.GET("/openapi.json", func(c *gin.Context) {
		text, err := document()
		if err != nil {
			s.refuse(c, err)
			return
		}
		c.Data(http.StatusOK, "application/json", text)
	})
	return s.serveFiles()
}

// serveFiles serves the page at /docs and its files below.
func (s *Server) serveFiles() error {
	return fs.WalkDir(docs, "docs", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := docs.ReadFile(name)
		if err != nil {
			return err
		}
		url, kind := "/"+name, cmp.Or(mime.TypeByExtension(path.Ext(name)), "text/plain; charset=utf-8")
		if name == "docs/index.html" {
			url, kind = "/docs", "text/html; charset=utf-8"
		}
		s.engine.GET(url, func(c *gin.Context) {
			c.Header("Content-Security-Policy", docsPolicy)
			c.Header("Cache-Control", "no-cache") // another version of Switchboard has other files
			c.Data(http.StatusOK, kind, content)
		})
		return nil
	})
}
