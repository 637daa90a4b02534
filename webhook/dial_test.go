package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// addresses parses addresses.
func addresses(texts ...string) (addrs []netip.Addr) {
	for _, text := range texts {
		addrs = append(addrs, netip.MustParseAddr(text))
	}
	return addrs
}

// listenOn answers requests at that address with the address in a header, and closes the
// connection. It returns the port.
func listenOn(t *testing.T, address string) (port string) {
	t.Helper()
	return portOf(t, listenAt(t, address, func(conn net.Conn) {
		host, _, err := net.SplitHostPort(conn.LocalAddr().String())
		if err == nil && readRequest(conn) == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\nX-At: "+host+"\r\n\r\n")
		}
	}))
}

// listenBeside does that at the live address, on a port on which the kernel drops connections to
// the dead addresses. A port that is free at one address may be taken at others.
func listenBeside(t *testing.T, live string, dead []string) (port string) {
	t.Helper()
	for range 20 {
		port = listenOn(t, live+":0")
		free := true
		for _, address := range dead {
			l, err := net.Listen("tcp", address+":"+port)
			if free = err == nil; !free {
				if !errors.Is(err, syscall.EADDRINUSE) {
					skipWithout(t, address, err)
				}
				break
			}
			t.Cleanup(func() { _ = l.Close() })
			drop(t, l)
		}
		if free {
			return port
		}
	}
	t.Fatal("no port is free at all of the addresses")
	return ""
}

// drop makes the kernel drop connections, because the listener's queue is full.
func drop(t *testing.T, l net.Listener) {
	t.Helper()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), 0) }) // a queue for one
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		conn, err := net.DialTimeout("tcp", l.Addr().String(), soon)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("the listener's queue does not fill")
}

// TestDeadAddressHidesNoOther: the attempt's limit is shorter than a share of the connect timeout
// would be.
func TestDeadAddressHidesNoOther(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		addrs []netip.Addr
		dead  []string // they drop packets; without a listener, connections are refused
		live  string
	}{
		"the first":          {addresses("127.0.0.9", "127.0.0.1"), []string{"127.0.0.9"}, "127.0.0.1"},
		"the last":           {addresses("127.0.0.1", "127.0.0.9"), []string{"127.0.0.9"}, "127.0.0.1"},
		"the first three":    {addresses("127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.0.1"), []string{"127.0.0.7", "127.0.0.8", "127.0.0.9"}, "127.0.0.1"},
		"IPv6":               {addresses("127.0.0.1", "::1"), []string{"[::1]"}, "127.0.0.1"},
		"IPv4":               {addresses("127.0.0.1", "::1"), []string{"127.0.0.1"}, "[::1]"},
		"one, another fails": {addresses("127.0.0.8", "127.0.0.9", "127.0.0.1"), []string{"127.0.0.9"}, "127.0.0.1"},
		"one is forbidden":   {addresses("10.0.0.1", "fd00::1", "127.0.0.9", "127.0.0.1"), []string{"127.0.0.9"}, "127.0.0.1"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port := listenBeside(t, test.live, test.dead)
			s := setup(t, func(c *Config) {
				c.Guard.resolver, c.ConnectTimeout = names{"receiver.test": test.addrs}, 2*plenty
			})
			o := send(t, s, "http://receiver.test:"+port, plenty*2/5) // a share of the connect timeout would be at least a quarter
			if o.StatusCode != 204 || o.Response.Headers["X-At"] != strings.Trim(test.live, "[]") {
				t.Errorf("%+v; want 204 from %s", o, test.live)
			}
		})
	}
}

// TestErrorOfSeveralAddresses: the outcome has the error that explains most about the host.
func TestErrorOfSeveralAddresses(t *testing.T) {
	t.Parallel()
	_, closed := bound(t)
	port := portOf(t, closed)
	full := fullListener(t)
	fullPort := portOf(t, full)
	tests := map[string]struct {
		addrs []netip.Addr
		port  string
		want  switchboard.Failure
	}{
		"forbidden, refused": {addresses("10.0.0.1", "127.0.0.1"), port, switchboard.FailureConnectRefused},
		"forbidden, dropped": {addresses("fd00::1", "127.0.0.1"), fullPort, switchboard.FailureConnectTimeout},
		"no route, dropped":  {addresses("255.255.255.255", "127.0.0.1"), fullPort, switchboard.FailureConnectTimeout},
		"forbidden only":     {addresses("10.0.0.1", "fd00::1"), port, switchboard.FailureForbidden},
		"no route only":      {addresses("255.255.255.255", "10.0.0.1"), port, switchboard.FailureConnect},
	}
	for name, test := range tests {
		s := setup(t, func(c *Config) {
			c.Guard = NewGuard(append(loopback(), netip.MustParsePrefix("255.255.255.255/32")))
			c.Guard.resolver = names{"receiver.test": test.addrs}
			if test.want == switchboard.FailureConnectTimeout {
				c.ConnectTimeout = 2 * soon
			}
		})
		if o := send(t, s, "http://receiver.test:"+test.port, plenty); o.Failure != test.want || o.Permanent {
			t.Errorf("%s: %+v; want %s", name, o, test.want)
		}
	}
}

// TestLateConnectionIsDropped: a connection that comes after another has won is closed.
func TestLateConnectionIsDropped(t *testing.T) {
	t.Parallel()
	candidates, dropped := make(chan string, 2), make(chan string, 1)
	candidates <- "slow"
	candidates <- "fast"
	got, errs := race(t.Context(), candidates, time.Millisecond, func(ctx context.Context, c string) (string, error) {
		if c == "slow" {
			<-ctx.Done() // until the other one has won
		}
		return c, nil
	}, func(late string) { dropped <- late })
	if got != "fast" || len(errs) != 0 {
		t.Errorf("%s, %v; want fast", got, errs)
	}
	if late := <-dropped; late != "slow" {
		t.Errorf("dropped %s; want slow", late)
	}
}

// TestNextIsTriedAtOnceAfterAFailure: the delay is for tries that neither fail nor succeed.
func TestNextIsTriedAtOnceAfterAFailure(t *testing.T) {
	t.Parallel()
	candidates := make(chan int, 3)
	for i := range 3 {
		candidates <- i
	}
	close(candidates)
	_, errs := race(t.Context(), candidates, time.Hour, func(_ context.Context, i int) (int, error) {
		return 0, fmt.Errorf("%d failed", i)
	}, func(int) {})
	if got := errors.Join(errs...).Error(); got != "0 failed\n1 failed\n2 failed" {
		t.Errorf("%s; want the errors of all", got)
	}
}
