package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/tdewolff/minify/v2"
	"github.com/tdewolff/minify/v2/css"
	"github.com/tdewolff/minify/v2/js"
)

//go:embed assets
var assetFiles embed.FS

// assetsPath is the path below which the files are: assetsPath/{the first 8 letters of their
// SHA-256}/{name}. A file that changes has another address, so that browsers may keep them for ever.
const assetsPath = Root + "/assets/"

// assets are the files that pages load, with a compressed form ready made.
type assets struct {
	byPath map[string]asset
	paths  map[string]string // by the name of the file
}

type asset struct {
	kind    string // its media type
	content []byte
	zipped  []byte
}

func newAssets() (*assets, error) {
	found, minifier := &assets{byPath: map[string]asset{}, paths: map[string]string{}}, newMinifier()
	err := fs.WalkDir(assetFiles, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		if extension := path.Ext(name); (extension == ".css" || extension == ".js") && !strings.Contains(name, ".min.") {
			if content, err = minifier.Bytes(extension, content); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		var zipped bytes.Buffer
		zip, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := zip.Write(content); err != nil {
			return err
		}
		if err := zip.Close(); err != nil {
			return err
		}
		kind := mime.TypeByExtension(path.Ext(name))
		if kind == "" || path.Ext(name) == ".txt" {
			kind = "text/plain; charset=utf-8"
		}
		sum := sha256.Sum256(content)
		address := assetsPath + hex.EncodeToString(sum[:4]) + "/" + path.Base(name)
		found.paths[path.Base(name)] = address
		found.byPath[address] = asset{kind, content, zipped.Bytes()}
		return nil
	})
	return found, err
}

// newMinifier shortens our own scripts and styles. Files of others are served as they were published.
func newMinifier() *minify.M {
	m := minify.New()
	m.AddFunc(".css", css.Minify)
	m.AddFunc(".js", js.Minify)
	return m
}

// ServeHTTP serves a file.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	logOf(r).route = assetsPath
	file, known := a.byPath[r.URL.Path]
	if !known {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	header := w.Header()
	header.Set("Content-Type", file.kind)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("Vary", "Accept-Encoding")
	content := file.content
	if takesGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		content = file.zipped
	}
	_, _ = w.Write(content) // fails only if the client has gone
}

// takesGzip reports whether a browser takes it; none refuses it by a weight of 0.
func takesGzip(accepted string) bool {
	for coding := range strings.SplitSeq(accepted, ",") {
		if name, _, _ := strings.Cut(coding, ";"); strings.TrimSpace(name) == "gzip" {
			return true
		}
	}
	return false
}
