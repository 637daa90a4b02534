package switchboard_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The allowed imports within this module, by folder; "" is the root package. A row applies to the
// folder and to those below it without a row of their own. A folder may always import those below
// it, and cmd may import everything.
var allowed = map[string][]string{
	"":                    {},
	"filter":              {""},
	"signing":             {""},
	"catalogue":           {""},
	"client":              {""},
	"ingest":              {""},
	"webhook":             {"", "signing"},
	"webhook/render":      {""},
	"store":               {"", "filter", "signing"},
	"api":                 {"", "filter", "signing", "webhook", "ingest"},
	"api/rest":            {""},
	"activities":          {"", "webhook"},
	"activities/inflight": {""},
	"workflows":           {"", "activities"},
	"worker":              {"", "activities", "workflows"},
	"console":             {"", "client"},
	"cmd":                 {},
	"cmd/switchboard/cli": {"", "client"},
}

// The path of the module.
const module = "github.com/seed-49a43567/switchboard"

// Where Temporal's SDK and server may be imported, and the Postgres that we run ourselves.
var (
	usesSDK      = []string{"workflows", "activities", "worker", "cmd"}
	usesServer   = "cmd/switchboard-dev/"
	usesPostgres = []string{"cmd/switchboard-dev/", "store/postgres/"}
)

// forTests has packages that only tests may import.
var forTests = []string{module + "/webhook/dnstest", module + "/store/postgres/pgtest"}

func TestLayout(t *testing.T) {
	t.Parallel()
	eachImport(t, func(file, imported string) {
		folder := rowOf(filepath.ToSlash(filepath.Dir(file)))
		may, known := allowed[folder]
		if !known {
			t.Errorf("%s: the folder %s is not in the layout of the design", file, folder)
			return
		}
		switch {
		case slices.Contains(forTests, imported):
			t.Errorf("%s may not import %s: it is for tests", file, imported)
		case imported == module+"/store/postgres" && !slices.ContainsFunc(usesPostgres, func(folder string) bool { return strings.HasPrefix(filepath.ToSlash(file), folder) }):
			t.Errorf("%s may not import %s: a production binary runs no Postgres", file, imported)
		case imported == module || strings.HasPrefix(imported, module+"/"):
			target := strings.TrimPrefix(strings.TrimPrefix(imported, module), "/")
			listed := slices.ContainsFunc(may, func(above string) bool { return isIn(target, above) })
			if folder != "cmd" && !listed && !isIn(target, folder) {
				t.Errorf("%s may not import %s", file, imported)
			}
		case folder == "" && strings.Contains(strings.Split(imported, "/")[0], "."):
			t.Errorf("%s: the root package imports the standard library only, not %s", file, imported)
		case isServer(imported):
			if !strings.HasPrefix(file, usesServer) {
				t.Errorf("%s may not import %s: the production binary stays without the server", file, imported)
			}
		case strings.HasPrefix(imported, "go.temporal.io/sdk") && !slices.Contains(usesSDK, folder):
			t.Errorf("%s may not import %s", file, imported)
		}
	})
}

// TestServerIsCompiledForOneProgram: the other programs are built in a fraction of the time,
// because nothing that they import, directly or not, imports the Temporal server.
func TestServerIsCompiledForOneProgram(t *testing.T) {
	t.Parallel()
	imports := map[string][]string{} // by folder
	eachImport(t, func(file, imported string) {
		folder := path.Dir(filepath.ToSlash(file))
		imports[folder] = append(imports[folder], imported)
	})
	for program, links := range map[string]bool{"cmd/switchboard": false, "cmd/switchboard-stack": false, "cmd/switchboard-dev": true} {
		seen := map[string]bool{program: true}
		server := ""
		for next := []string{program}; len(next) > 0; next = next[1:] {
			for _, imported := range imports[next[0]] {
				if isServer(imported) {
					server = next[0]
				}
				folder, ours := strings.CutPrefix(imported, module+"/")
				if ours && !seen[folder] {
					seen[folder] = true
					next = append(next, folder)
				}
			}
		}
		if (server != "") != links {
			t.Errorf("%s links the Temporal server: %v (by %s), want %v", program, server != "", server, links)
		}
	}
}

// isServer reports whether a package belongs to the Temporal server or its web UI.
func isServer(imported string) bool {
	return strings.HasPrefix(imported, "go.temporal.io/server") || strings.HasPrefix(imported, "github.com/temporalio/")
}

// rowOf returns the row of allowed for the folder: its own, or that of a folder above it.
func rowOf(folder string) string {
	if folder == "." {
		return ""
	}
	for {
		if _, listed := allowed[folder]; listed || !strings.Contains(folder, "/") {
			return folder
		}
		folder = path.Dir(folder)
	}
}

// isIn reports whether a folder is above, or below it.
func isIn(folder, above string) bool {
	return folder == above || above != "" && strings.HasPrefix(folder, above+"/")
}

// eachImport calls f for every import of every file that is not a test.
func eachImport(t *testing.T, f func(file, imported string)) {
	t.Helper()
	files := 0
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "testdata") {
			return fs.SkipDir
		}
		if entry.IsDir() && path != "." {
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil { // a module of its own, which nothing imports
				return fs.SkipDir
			}
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		files++
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			f(path, imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 10 {
		t.Fatalf("saw %d files only: the test looks in the wrong place", files)
	}
}
