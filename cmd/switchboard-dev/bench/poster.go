package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// tenants share the events evenly, each with one subscription of default limits:
// of one alone, no more than 16 requests would be in flight.
const tenants = 8

// Tenants whose receivers are not well.
const (
	tenantAway = "bench-away"
	tenantSlow = "bench-slow"
)

// manyInFlight is more than a worker has places.
const manyInFlight = 1000

// eventSize is the length of a posted event in bytes: that of the peers' measurement.
const eventSize = 623

// callTimeout bounds each call of the API.
const callTimeout = 30 * time.Second

// poster posts events as a platform would.
type poster struct {
	base, key string
	http      *http.Client
	padding   string
	count     atomic.Int64
}

// posted is one event that was accepted, with the one delivery that follows from it.
type posted struct {
	delivery string
	at       time.Time     // just before the request was sent
	answer   time.Duration // from then until the 202 was read
}

func newPoster(base, key string, concurrency int) *poster {
	transport := &http.Transport{MaxIdleConns: 4 * concurrency, MaxIdleConnsPerHost: 4 * concurrency}
	return &poster{
		base: base, key: key, padding: strings.Repeat("x", eventSize),
		http: &http.Client{Transport: transport},
	}
}

// ready reports what is missing before the stack can be measured.
func (p *poster) ready(ctx context.Context) error {
	return p.call(ctx, p.http, http.MethodGet, "/readyz", nil, http.StatusOK, nil)
}

// subscribe makes the subscriptions. That of the absent receiver retries after an hour.
func (p *poster) subscribe(ctx context.Context, receiver string) error {
	type request struct {
		URL string `json:"url"`
	}
	type retry struct {
		InitialInterval string `json:"initial_interval"`
	}
	type subscription struct {
		Tenant  string   `json:"tenant"`
		Name    string   `json:"name"`
		Events  []string `json:"events"`
		Request request  `json:"request"`
		Retry   *retry   `json:"retry,omitempty"`
		Flights int      `json:"max_in_flight,omitempty"`
	}
	wanted := []subscription{
		{Tenant: tenantAway, Request: request{receiver + pathAway}, Retry: &retry{"1h"}},
		{Tenant: tenantSlow, Request: request{receiver + pathSlow}, Flights: manyInFlight},
	}
	for i := range tenants {
		wanted = append(wanted, subscription{Tenant: tenantName(i), Request: request{receiver + pathWell}})
	}
	for _, s := range wanted {
		s.Name, s.Events = "bench", []string{"*"}
		body, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if err := p.call(ctx, p.http, http.MethodPost, "/v1/subscriptions", body, http.StatusCreated, nil); err != nil {
			return err
		}
	}
	return nil
}

func tenantName(i int) string { return fmt.Sprintf("bench-%d", i%tenants) }

// post posts one event. Empty stands for one of the tenants in turn.
func (p *poster) post(ctx context.Context, via *http.Client, tenant string) (posted, error) {
	n := p.count.Add(1)
	if tenant == "" {
		tenant = tenantName(int(n))
	}
	var answer struct {
		Deliveries []struct {
			ID string `json:"id"`
		} `json:"deliveries"`
	}
	body := p.event(tenant, n)
	at := time.Now()
	err := p.call(ctx, via, http.MethodPost, "/v1/events", body, http.StatusAccepted, &answer)
	took := time.Since(at)
	if err == nil && len(answer.Deliveries) != 1 {
		err = fmt.Errorf("an event has %d deliveries; want 1", len(answer.Deliveries))
	}
	if err != nil {
		return posted{}, err
	}
	return posted{delivery: answer.Deliveries[0].ID, at: at, answer: took}, nil
}

// event is a ticket of the wanted size.
func (p *poster) event(tenant string, n int64) []byte {
	const end = `"}}`
	body := fmt.Appendf(make([]byte, 0, eventSize), `{"tenant":%q,"type":"ticket.created","data":{"ticket":{"id":%d,"status":"open"},"text":"`, tenant, n)
	body = append(body, p.padding[:eventSize-len(body)-len(end)]...)
	return append(body, end...)
}

// burst posts count events, so many at a time, each on a connection of its own, as
// fast as they are accepted.
func (p *poster) burst(ctx context.Context, tenant string, count, concurrency int) ([]posted, error) {
	all := make([]posted, count)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range concurrency {
		group.Go(func() error {
			via, err := connect(ctx, p.base)
			if err != nil {
				return err
			}
			defer via.CloseIdleConnections()
			for i := next.Add(1) - 1; i < int64(count); i = next.Add(1) - 1 {
				one, err := p.post(ctx, via, tenant)
				if err != nil {
					return err
				}
				all[i] = one
			}
			return nil
		})
	}
	err := group.Wait()
	return all, err
}

// pace posts count events at a steady rate a second, whether or not those before
// have been answered.
func (p *poster) pace(ctx context.Context, count, rate int) ([]posted, error) {
	all := make([]posted, count)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	group, ctx := errgroup.WithContext(ctx)
	for i := range all {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errors.Join(group.Wait(), ctx.Err())
		}
		group.Go(func() error {
			one, err := p.post(ctx, p.http, "")
			all[i] = one
			return err
		})
	}
	err := group.Wait()
	return all, err
}

// call makes one call of the API. The answer is decoded unless it is nil.
func (p *poster) call(ctx context.Context, via *http.Client, method, path string, body []byte, want int, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, p.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+p.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := via.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		return fmt.Errorf("%s %s answers %s: %s", method, path, response.Status, text)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(text, answer)
}
