package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// deployment is a system of several processes behind a load balancer.
type deployment struct {
	*system
	balancer *balancer
}

func newDeployment(t *testing.T) *deployment {
	t.Helper()
	s := configureSystem(t, shared.databases.Empty(t), shared.addr(t), namespaceOf(t))
	b := newBalancer(t)
	s.config.Listen = b.addr
	return &deployment{s, b}
}

// process makes a process of that binary, with a separate address. It is not started yet.
func (d *deployment) process(binary string) *process {
	s := *d.system
	s.config.Listen, s.log = freeAddr(d.t), newLog(d.t)
	p := &process{system: &s, binary: binary}
	d.t.Cleanup(p.kill)
	return p
}

// expandSchema changes the schema as the next release might: additional columns everywhere, and a
// higher version. Older binaries must work with it.
func (d *deployment) expandSchema() {
	t, db := d.t, d.database()
	rows, err := db.QueryContext(t.Context(), `SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil || len(names) < 20 {
		t.Fatalf("%d tables, %v", len(names), err)
	}
	for _, name := range names {
		if _, err := db.ExecContext(t.Context(), "ALTER TABLE "+name+" ADD COLUMN of_the_next_release text, ADD COLUMN counted_by_the_next_release bigint NOT NULL DEFAULT 0"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO switchboard_migrations (version_id, is_applied) SELECT max(version_id) + 1, true FROM switchboard_migrations"); err != nil {
		t.Fatal(err)
	}
}

// postWaiting posts events for the failing receiver, and returns their deliveries.
func (d *deployment) postWaiting(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = d.post("waiting", fmt.Sprint(i))
	}
	return ids
}

// awaitAttempts waits until each of the deliveries has had one more attempt.
func (d *deployment) awaitAttempts(r *receiver, ids []string) {
	d.t.Helper()
	before := requestsByID(r)
	awaitFor(d.t, loadTimeout, "another attempt of each", func() bool {
		now := requestsByID(r)
		for _, id := range ids {
			if now[id] <= before[id] {
				return false
			}
		}
		return true
	})
}

func requestsByID(r *receiver) map[string]int {
	requests := map[string]int{}
	for _, request := range r.got() {
		requests[request.header.Get("webhook-id")]++
	}
	return requests
}

// newRecoveringReceiver answers 503 until it is told to recover.
func newRecoveringReceiver(t *testing.T) (r *receiver, well func()) {
	t.Helper()
	var recovered atomic.Bool
	r = newReceiverFunc(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		if !recovered.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	return r, func() { recovered.Store(true) }
}

// steadyPosts posts events continuously.
type steadyPosts struct {
	load  *load
	quit  func()
	ended chan error
}

const postPause = 40 * time.Millisecond // between two posts: a deploy takes a hundred of them and more

func (d *deployment) postSteadily() *steadyPosts {
	ctx, stop := context.WithCancel(context.Background())
	p := &steadyPosts{load: newLoad(d.t, d.system, 1<<30), quit: stop, ended: make(chan error, 1)}
	d.t.Cleanup(stop)
	go func() {
		pause := time.NewTicker(postPause)
		defer pause.Stop()
		for {
			select {
			case <-ctx.Done():
				p.ended <- nil
				return
			case <-pause.C:
			}
			n, _ := p.load.take()
			if err := p.load.postOne(context.Background(), n); err != nil {
				p.ended <- err
				return
			}
		}
	}()
	return p
}

// stop ends the posting, and returns the accepted deliveries.
func (p *steadyPosts) stop() *load {
	p.quit()
	if err := <-p.ended; err != nil {
		p.load.s.t.Errorf("posting: %v", err)
	}
	return p.load
}

// balancer forwards requests to the first process that accepts them.
type balancer struct {
	addr string
	mu   sync.Mutex
	to   []string // addresses
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{}
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	b.addr = strings.TrimPrefix(server.URL, "http://")
	return b
}

func (b *balancer) passTo(processes ...*process) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.to = nil
	for _, p := range processes {
		b.to = append(b.to, p.config.Listen)
	}
}

func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.mu.Lock()
	to := b.to
	b.mu.Unlock()
	for _, address := range to {
		request := r.Clone(r.Context())
		request.URL.Scheme, request.URL.Host, request.RequestURI = "http", address, ""
		request.Body = io.NopCloser(bytes.NewReader(body))
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			continue // it is stopping: the next process accepts the event, and recognises it by its id
		}
		defer response.Body.Close()
		for name, values := range response.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
		return
	}
	w.WriteHeader(http.StatusBadGateway)
}
