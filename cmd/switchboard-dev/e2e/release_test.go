package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// lastReleaseFile names the commit that counts as the last release until there is a tag.
const lastReleaseFile = "deploy/last_release"

// release is the source of the last release, with its binary. Upgrades are tested from it and back
// to it.
type release struct {
	source sync.Once
	dir    string // of the source; empty: not available
	name   string // the tag or the commit
	err    error  // why it is not available

	compile sync.Once
	failed  error
}

// folder is the folder of the source. It is empty if this checkout neither has the source nor can
// fetch it, for example without a history. The test then uses the current source, and says so; with
// SWITCHBOARD_E2E_FULL=1 it fails. `make last-release` says the same before the tests.
func (r *release) folder(t *testing.T) string {
	t.Helper()
	r.source.Do(func() { r.err = r.extract() })
	if r.err != nil && fullSize() {
		t.Fatalf("the source of the last release: %v", r.err)
	}
	if r.err != nil {
		t.Logf("NOT TESTED WITH THE LAST RELEASE: the present source stands in for it, because %v", r.err)
		return ""
	}
	t.Logf("the last release is %s", r.name)
	return r.dir
}

// path is the path of its production binary.
func (r *release) path(t *testing.T) string {
	t.Helper()
	folder := r.folder(t)
	if folder == "" {
		return built.path(t)
	}
	r.compile.Do(func() {
		r.failed = execute(folder, "go", "build", "-buildvcs=false", "-o", "switchboard.bin", "./cmd/switchboard")
	})
	if r.failed != nil {
		t.Fatalf("build %s: %v", r.name, r.failed)
	}
	return filepath.Join(folder, "switchboard.bin")
}

// extract finds the last release and writes its source into a folder: the newest tag before the
// current commit, or else the commit in the file.
func (r *release) extract() error {
	const top = "../../.."
	text, err := os.ReadFile(filepath.Join(top, lastReleaseFile))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if commit, ok := strings.CutPrefix(line, "commit "); ok {
			r.name = strings.TrimSpace(commit)
		}
	}
	if tag, err := outputOf(top, "git", "describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^"); err == nil {
		r.name = tag
	}
	if _, err := outputOf(top, "git", "cat-file", "-e", r.name+"^{commit}"); err != nil {
		if _, err := outputOf(top, "git", "fetch", "--quiet", "--depth", "1", "origin", r.name); err != nil {
			return fmt.Errorf("this checkout does not have %s, and cannot fetch it: %w", r.name, err)
		}
	}
	dir, err := os.MkdirTemp("", "switchboard-release-")
	if err != nil {
		return err
	}
	r.dir = dir
	archive := filepath.Join(dir, "source.tar")
	if _, err := outputOf(top, "git", "archive", "--output", archive, r.name); err != nil {
		return err
	}
	return errors.Join(execute(dir, "tar", "-xf", archive), os.Remove(archive))
}

func (r *release) remove() error {
	if r.dir == "" {
		return nil
	}
	return os.RemoveAll(r.dir)
}

// execute runs a command in a folder. Its error contains the command's output.
func execute(folder, name string, args ...string) error {
	_, err := outputOf(folder, name, args...)
	return err
}

func outputOf(folder, name string, args ...string) (string, error) {
	command := exec.Command(name, args...)
	command.Dir = folder
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s%s", name, strings.Join(args, " "), err, said.Bytes(), out)
	}
	return strings.TrimSpace(string(out)), nil
}

// checkReplays makes the last release replay the histories in that folder, which the current code
// has made. After a rollback of the current release, it would have to continue those workflows.
func (r *release) checkReplays(t *testing.T, histories string) {
	t.Helper()
	folder := r.folder(t)
	if folder == "" {
		return
	}
	present := filepath.Join(folder, "workflows", "testdata", "present")
	if err := os.CopyFS(present, os.DirFS(histories)); err != nil {
		t.Fatal(err)
	}
	if err := execute(folder, "go", "test", "-count=1", "-run", "^TestReplayReleasedHistories$", "./workflows"); err != nil {
		t.Errorf("%s cannot go on with workflows of the present code: %v", r.name, err)
	}
}
