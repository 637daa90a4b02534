package postgres

import (
	"archive/zip"
	"context"
	_ "embed"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs is what the library unpacks, with bin/initdb, bin/postgres and
// bin/pg_ctl that do nothing but fail.
//
//go:embed testdata/programs.txz
var programs []byte

// repository answers every request for an archive with that function, and has no checksums.
func repository(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, ".jar") {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func archive(content []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		jar := zip.NewWriter(w)
		defer jar.Close()
		if file, err := jar.Create("postgres.txz"); err == nil {
			_, _ = file.Write(content)
		}
	}
}

func TestDownload(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "postgresql")
	broken := repository(t, archive(programs[:len(programs)/2]))
	if err := download(t.Context(), broken, dir, func(string) {}); err == nil || exists(dir) {
		t.Errorf("of half an archive: error %v, programs there: %t", err, exists(dir))
	}
	if err := download(t.Context(), repository(t, http.NotFound), dir, func(string) {}); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("of nothing: %v, want an error of one line", err)
	}
	if err := download(t.Context(), repository(t, archive(programs)), dir, func(string) {}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, "bin", name)); err != nil {
			t.Error(err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*")); err != nil || len(left) != 1 {
		t.Errorf("there is %v, %v; want the programs alone", left, err)
	}
}

func TestDownloadIsInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan struct{})
	silent := repository(t, func(http.ResponseWriter, *http.Request) { cancel(); <-end })
	t.Cleanup(func() { close(end) }) // before the server waits for its requests
	if err := download(ctx, silent, filepath.Join(t.TempDir(), "postgresql"), func(string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAptReason(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, out, want string }{
		{"no network", `Err:1 http://deb.example/debian bookworm InRelease
  Could not resolve 'deb.example'
W: Failed to fetch http://deb.example/debian/dists/bookworm/InRelease  Could not resolve 'deb.example'
W: Failed to fetch http://deb.example/debian/dists/bookworm-updates/InRelease  Could not resolve 'deb.example'
W: Some index files failed to download. They have been ignored, or old ones used instead.
Building dependency tree...
E: Unable to locate package postgresql
`, "Failed to fetch http://deb.example/debian/dists/bookworm/InRelease  Could not resolve 'deb.example'; Unable to locate package postgresql"},
		{"lock", "Reading package lists...\nE: Unable to acquire the dpkg frontend lock\n", "Unable to acquire the dpkg frontend lock"},
		{"another program's complaint", "sh: 5: cannot create file\n", "sh: 5: cannot create file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := aptReason(c.out); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// The advice depends on the available programs.
func TestAdvice(t *testing.T) {
	for _, c := range []struct{ program, want string }{
		{"apt-get", "apt-get update && apt-get install postgresql"},
		{"brew", "brew install postgresql@17"},
		{"none", "PATH"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, c.program), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Setenv("PATH", dir)
		if got := advice(); !strings.Contains(got, c.want) {
			t.Errorf("with %s: %q", c.program, got)
		}
	}
}
