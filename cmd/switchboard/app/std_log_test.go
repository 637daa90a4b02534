package app

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// signalled signals each line that is written.
type signalled struct {
	to    io.Writer
	lines chan string
}

func (s signalled) Write(line []byte) (int, error) {
	n, err := s.to.Write(line)
	s.lines <- string(line)
	return n, err
}

// TestStandardLogHoldsNothingOfAReceiver: if a receiver sends more than its answer, net/http writes
// what that was. Other receivers send line ends, or very much.
func TestStandardLogHoldsNothingOfAReceiver(t *testing.T) { //nolint:paralleltest // the standard log is the process's
	t.Cleanup(func() { log.SetFlags(log.LstdFlags); log.SetOutput(os.Stderr) })
	var text bytes.Buffer
	out := slog.New(slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tameStandardLog(out)
	lines := make(chan string, 10)
	log.SetOutput(signalled{log.Writer(), lines})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 1000))
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nAuthorization: Bearer s3cret\r\n")
	}()
	resp, err := new(http.Transport).RoundTrip(must(http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+listener.Addr().String(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	select {
	case <-lines:
	case <-time.After(testTimeout):
		t.Fatal("net/http has said nothing")
	}
	log.Printf("two\nlines of %s", strings.Repeat("x", 1000))
	log.Printf("%q", "s3cret")
	var got []string
	for _, line := range strings.Split(strings.TrimSpace(text.String()), "\n") {
		var said struct{ Level, Text string }
		if err := json.Unmarshal([]byte(line), &said); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, said.Level+" "+said.Text)
	}
	want := []string{
		"DEBUG Unsolicited response received on idle HTTP channel starting with",
		"DEBUG two\nlines of " + strings.Repeat("x", maxStandardLine-len("two\nlines of ")),
		"DEBUG ",
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("the log holds %q; want %q", got, want)
	}
	text.Reset()
	tameStandardLog(slog.New(slog.NewJSONHandler(&text, nil)))
	log.Print("anything")
	if text.Len() > 0 {
		t.Errorf("%s; want nothing at this level", text.String())
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
