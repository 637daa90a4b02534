package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"testing"
)

// vendored are files of others, unchanged from npm, with their licences: of htmx.org 4.0.1 and
// uplot 1.6.32.
var vendored = map[string]string{
	"htmx-4.0.1.min.js":   "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
	"htmx-LICENSE.txt":    "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
	"uplot-1.6.32.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
	"uplot-LICENSE.txt":   "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}

func TestVendoredFiles(t *testing.T) {
	t.Parallel()
	files, err := newAssets()
	must(t, err)
	for name, want := range vendored {
		if sum := sha256.Sum256(files.byPath[files.paths[name]].content); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is not the file that was published", name)
		}
	}
	// The finder of barriers in the browser tests, from axe-core 4.14.1.
	content, err := os.ReadFile("testdata/axe/axe.min.js")
	must(t, err)
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c" {
		t.Error("axe.min.js is not the file that was published")
	}
}

// TestShortened: our own scripts and styles are minified.
func TestShortened(t *testing.T) {
	t.Parallel()
	files, err := newAssets()
	must(t, err)
	for _, name := range []string{"console.css", "console.js", "charts.js"} {
		stored, err := fs.ReadFile(assetFiles, "assets/"+name)
		must(t, err)
		if served := files.byPath[files.paths[name]].content; len(served) > len(stored)*9/10 {
			t.Errorf("%s has %d bytes, and is served with %d", name, len(stored), len(served))
		}
	}
}

// TestAssetSize: all scripts and styles together are at most 44 kB as browsers load them. The limit
// of console.md, section 6, is 45.
func TestAssetSize(t *testing.T) {
	t.Parallel()
	files, err := newAssets()
	must(t, err)
	total := 0
	for address, file := range files.byPath {
		if ext := path.Ext(address); ext == ".js" || ext == ".css" {
			total += len(file.zipped)
		}
	}
	if total > 44_000 {
		t.Errorf("scripts and styles are %d bytes", total)
	}
	t.Logf("scripts and styles are %d bytes", total)
	for name, most := range map[string]int{"console.js": 400, "console.css": 500} {
		content, err := fs.ReadFile(assetFiles, "assets/"+name)
		must(t, err)
		if lines := bytes.Count(content, []byte("\n")); lines > most {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
}

// TestAssets: they are served compressed, cacheable forever, and to anyone.
func TestAssets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	address, err := f.console.assets.path("console.css")
	must(t, err)
	want := f.console.assets.byPath[address].content
	zipped := f.nobody().get(address, "Accept-Encoding", "br, gzip;q=0.5").want(t, http.StatusOK)
	if zipped.header.Get("Content-Encoding") != "gzip" || !strings.Contains(zipped.header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(zipped.header.Get("Content-Type"), "text/css") {
		t.Errorf("%v", zipped.header)
	}
	zip, err := gzip.NewReader(strings.NewReader(zipped.body))
	must(t, err)
	got, err := io.ReadAll(zip)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Error("the compressed form is another file")
	}
	if plain := f.nobody().get(address, "Accept-Encoding", "identity").want(t, http.StatusOK); plain.body != string(want) {
		t.Error("the plain form is another file")
	}
	f.nobody().get(assetsPath+"00000000/console.css").want(t, http.StatusNotFound)
}
