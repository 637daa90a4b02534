package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
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
// SHA-256}/{name}. A changed file has another address, so browsers may keep files forever.
const assetsPath = Root + "/assets/"

// assets are the files that pages load, with their compressed form.
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
		name, file, err := newAsset(path.Base(name), content, minifier)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		sum := sha256.Sum256(file.content)
		found.paths[name] = assetsPath + hex.EncodeToString(sum[:4]) + "/" + name
		found.byPath[found.paths[name]] = file
		return nil
	})
	return found, err
}

// packed is the suffix of a file that is stored compressed, smaller than compress/gzip makes it:
// see make vendor-console.
const packed = ".gz"

// newAsset returns the file, and the name by which it is served.
func newAsset(name string, content []byte, minifier *minify.M) (string, asset, error) {
	name, isPacked := strings.CutSuffix(name, packed)
	file := asset{kind: mime.TypeByExtension(path.Ext(name)), content: content}
	if file.kind == "" || path.Ext(name) == ".txt" {
		file.kind = "text/plain; charset=utf-8"
	}
	if isPacked {
		zip, err := gzip.NewReader(bytes.NewReader(content))
		if err != nil {
			return name, file, err
		}
		file.zipped = content
		file.content, err = io.ReadAll(zip)
		return name, file, err
	}
	if extension := path.Ext(name); extension == ".css" || extension == ".js" {
		var err error
		if file.content, err = minifier.Bytes(extension, content); err != nil {
			return name, file, err
		}
	}
	var zipped bytes.Buffer
	zip, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return name, file, err
	}
	if _, err := zip.Write(file.content); err != nil {
		return name, file, err
	}
	err = zip.Close()
	file.zipped = zipped.Bytes()
	return name, file, err
}

// newMinifier minifies our own scripts and styles. Files of others are served as they were
// published.
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

// takesGzip reports whether a browser accepts gzip. No browser refuses it by a weight of 0.
func takesGzip(accepted string) bool {
	for coding := range strings.SplitSeq(accepted, ",") {
		if name, _, _ := strings.Cut(coding, ";"); strings.TrimSpace(name) == "gzip" {
			return true
		}
	}
	return false
}
