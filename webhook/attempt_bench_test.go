package webhook

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// BenchmarkAttempt is a whole attempt to a healthy receiver on loopback, including the receiver's
// own cost.
func BenchmarkAttempt(b *testing.B) {
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for _, secure := range []bool{false, true} {
		name, scheme := "HTTP/1.1", "http://"
		server := httptest.NewUnstartedServer(handler)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		if secure {
			name, scheme = "HTTP/2", "https://"
			server.EnableHTTP2 = true
			server.StartTLS()
		} else {
			server.Start()
		}
		b.Cleanup(server.Close)
		b.Run(name, func(b *testing.B) {
			s := setup(b, func(c *Config) {
				c.Guard.resolver = names{"example.com": {netip.MustParseAddr("127.0.0.1")}}
				if secure {
					c.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
				}
			})
			port := portOf(b, server.Listener.Addr().String())
			w := work(scheme + "example.com:" + port)
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				if _, o, err := s.Attempt(b.Context(), w, time.Now(), switchboardTime); err != nil || o.StatusCode != 200 {
					b.Fatalf("%+v, %v", o, err)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpuTime is the CPU time that this process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// switchboardTime is the time limit of benchmarks.
const switchboardTime = time.Duration(switchboard.DefaultTimeout)
