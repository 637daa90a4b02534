package faults

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// written records what is forwarded, and when.
type written struct {
	mu    sync.Mutex
	text  string
	times []time.Duration
	since time.Time
}

func (w *written) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text += string(p)
	w.times = append(w.times, time.Since(w.since))
	return len(p), nil
}

func (w *written) got() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text
}

func forwarding(t *testing.T) (*proxy, io.WriteCloser, *written) {
	p := &proxy{open: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(p.open)
	from, in := io.Pipe()
	out := &written{since: time.Now()}
	ended := make(chan struct{})
	go func() {
		p.forward(from, out)
		close(ended)
	}()
	t.Cleanup(func() {
		_ = in.Close()
		<-ended
	})
	return p, in, out
}

func write(t *testing.T, to io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(to, text); err != nil {
		t.Fatal(err)
	}
}

// TestHang: nothing passes while a proxy hangs, and everything passes afterwards.
func TestHang(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, in, out := forwarding(t)
		write(t, in, "before ")
		synctest.Wait()
		if got := out.got(); got != "before " {
			t.Errorf("before: %q", got)
		}
		p.hang()
		write(t, in, "while ")
		write(t, in, "it hangs ")
		synctest.Wait()
		if got := out.got(); got != "before " {
			t.Errorf("while it hangs: %q", got)
		}
		p.restore()
		write(t, in, "after")
		synctest.Wait()
		if got := out.got(); got != "before while it hangs after" {
			t.Errorf("after: %q", got)
		}
	})
}

// TestSlow: each piece is late by the delay, and not also by the delays of earlier pieces.
func TestSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, in, out := forwarding(t)
		p.slow(100 * time.Millisecond)
		for range 3 {
			write(t, in, "a")
			time.Sleep(10 * time.Millisecond) // of the bubble's own clock
		}
		time.Sleep(time.Second)
		synctest.Wait()
		want := []time.Duration{100 * time.Millisecond, 110 * time.Millisecond, 120 * time.Millisecond}
		if len(out.times) != len(want) {
			t.Fatalf("passed on at %v, want %v", out.times, want)
		}
		for i := range want {
			if out.times[i] != want[i] {
				t.Errorf("passed on at %v, want %v", out.times, want)
			}
		}
	})
}

// TestCut: connections end, including new ones, until the proxy is restored. After that they lead
// to the current target.
func TestCut(t *testing.T) {
	t.Parallel()
	p, err := startProxy()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.close() })
	p.leadTo("tcp", echo(t, "first "))
	conn := dial(t, p)
	if got := said(t, conn); got != "first hello" {
		t.Errorf("got %q", got)
	}
	p.cut()
	if _, err := io.ReadAll(conn); err == nil {
		t.Error("a connection that was cut ended in order")
	}
	// The kernel decides whether the reset comes before the dial returns.
	if conn, err := net.Dial("tcp", p.addr()); err == nil {
		if text, _ := io.ReadAll(conn); len(text) > 0 {
			t.Errorf("a connection through a proxy that is cut got %q", text)
		}
		_ = conn.Close()
	}
	p.leadTo("tcp", echo(t, "second "))
	p.restore()
	if got := said(t, dial(t, p)); got != "second hello" {
		t.Errorf("got %q", got)
	}
}

// echo answers five bytes with a word and these bytes.
func echo(t *testing.T, word string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				text := make([]byte, 5)
				if _, err := io.ReadFull(conn, text); err == nil {
					_, _ = io.WriteString(conn, word+string(text))
					_, _ = io.Copy(io.Discard, conn)
				}
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, p *proxy) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func said(t *testing.T, conn net.Conn) string {
	t.Helper()
	write(t, conn, "hello")
	text := make([]byte, 64)
	n, err := io.ReadAtLeast(conn, text, 11)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[:n])
}
