package stack

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestLogIsBounded: the last lines are kept, complete, also over restarts.
func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "switchboard.log")
	for _, step := range []struct{ write, now, before string }{
		{"one\n", "one\n", ""},
		{"two\n", "one\ntwo\n", ""}, // a restart in between
		{"33\n", "33\n", "one\ntwo\n"},
		{"four is longer than all of it\n", "four is longer than all of it\n", "33\n"},
		{"5\n", "5\n", "four is longer than all of it\n"},
	} {
		log, err := openRotated(path, 10)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := log.Write([]byte(step.write)); err != nil {
			t.Fatal(err)
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		if got := content(t, path); got != step.now {
			t.Errorf("after %q the log holds %q, want %q", step.write, got, step.now)
		}
		if got := content(t, path+".1"); got != step.before {
			t.Errorf("after %q the one before holds %q, want %q", step.write, got, step.before)
		}
	}
}

func content(t *testing.T, path string) string {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}
