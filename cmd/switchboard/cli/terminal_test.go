package cli

import (
	"io"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// newBlockedReader returns a reader that blocks until the test ends.
func newBlockedReader(t *testing.T) (io.Reader, io.Writer) {
	t.Helper()
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	return r, w
}

// TestPseudoTerminal runs a command on a real terminal of that width, and without one.
func TestPseudoTerminal(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&fakeAPI{answers: answersOf(t)})
	t.Cleanup(server.Close)
	for _, c := range []struct {
		name   string
		width  uint16
		extra  map[string]string
		colour bool
		widest int
	}{
		{"80 columns", 80, nil, true, 80},
		{"60 columns", 60, nil, true, 60},
		{"200 columns", 200, nil, true, 200},
		{"NO_COLOR", 80, map[string]string{"NO_COLOR": "1"}, false, 80},
		{"dumb", 80, map[string]string{"TERM": "dumb"}, false, 80},
		{"COLUMNS", 200, map[string]string{"COLUMNS": "70"}, true, 70},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			master, tty, err := pty.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer master.Close()
			if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: c.width}); err != nil {
				t.Fatal(err)
			}
			terminal := NewTerminal(tty, tty, tty, environment(server.URL, c.extra))
			terminal.Now = func() time.Time { return now }
			if !terminal.Ask || !terminal.Live || terminal.Color != c.colour {
				t.Errorf("ask %t, live %t, colour %t", terminal.Ask, terminal.Live, terminal.Color)
			}
			failed := make(chan error, 1)
			go func() {
				failed <- runLine(t.Context(), terminal, "deliveries", "list")
				tty.Close()
			}()
			text, _ := io.ReadAll(master) // it ends with an error when the terminal is closed
			if err := <-failed; err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "\x1b[") != c.colour || !strings.Contains(string(text), "retrying") {
				t.Errorf("colour: %q", text)
			}
			for line := range strings.Lines(string(text)) {
				for _, color := range []string{"\x1b[31m", "\x1b[33m", "\x1b[34m", "\x1b[0m"} {
					line = strings.ReplaceAll(line, color, "")
				}
				if n := len([]rune(strings.TrimRight(line, "\r\n"))); n > c.widest {
					t.Errorf("%d columns: %q", n, line)
				}
			}
		})
	}
}

// TestPipe: piped output has no colour, is not cut, and nobody is asked.
func TestPipe(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(&fakeAPI{answers: answersOf(t)})
	t.Cleanup(server.Close)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	terminal := NewTerminal(r, w, w, environment(server.URL, nil))
	if err := runLine(t.Context(), terminal, "deliveries", "list"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if terminal.Ask || terminal.Live || strings.Contains(string(text), "\x1b") || !strings.Contains(string(text), "no worker has made the attempt that is due") {
		t.Errorf("%q", text)
	}
}

func environment(url string, extra map[string]string) func(string) string {
	return func(name string) string {
		if value, ok := extra[name]; ok {
			return value
		}
		return map[string]string{urlVariable: url, keyVariable: "k", "TERM": "xterm-256color"}[name]
	}
}
