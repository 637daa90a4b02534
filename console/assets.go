package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
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
	found := &assets{byPath: map[string]asset{}, paths: map[string]string{}}
	err := fs.WalkDir(assetFiles, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		if !strings.Contains(name, ".min.") {
			content = withoutComments(path.Ext(name), content)
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

// withoutComments leaves out of our own scripts and styles what browsers do not read: indentation, and
// lines that are a comment. Neither has a text of several lines.
func withoutComments(extension string, content []byte) []byte {
	begins, ends := "//", ""
	switch extension {
	case ".css":
		begins, ends = "/*", "*/"
	case ".js":
	default:
		return content
	}
	var out []byte
	for line := range bytes.Lines(content) {
		text := bytes.TrimLeft(line, " \t")
		if !bytes.HasPrefix(text, []byte(begins)) || !bytes.HasSuffix(bytes.TrimSpace(text), []byte(ends)) {
			out = append(out, text...)
		}
	}
	return out
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
