package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// tenants share the events evenly, each with one subscription with default limits: with one tenant,
// at most 16 requests would be in flight.
const tenants = 8

// tenantAway is a tenant whose receiver fails.
const tenantAway = "bench-away"

// slowTenants have slow receivers. Together they may have more requests in flight than a worker
// makes at a time; one tenant may not.
const slowTenants = 10

func slowTenant(i int) string { return fmt.Sprintf("bench-slow-%d", i%slowTenants) }

// eventSize is the length of a posted event in bytes, as in the measurement of other products.
const eventSize = 623

// callTimeout limits each call to the API.
const callTimeout = 30 * time.Second

// poster posts events as a platform would.
type poster struct {
	base    string
	key     switchboard.Secret
	api     *client.Client
	idle    func() // closes the connections of api
	padding string
	count   atomic.Int64
}

// posted is one accepted event with its one delivery.
type posted struct {
	delivery string
	at       time.Time     // just before the request was sent
	answer   time.Duration // from then until the 202 was read
}

func newPoster(base string, key switchboard.Secret, concurrency int) (*poster, error) {
	transport := &http.Transport{MaxIdleConns: 4 * concurrency, MaxIdleConnsPerHost: 4 * concurrency}
	p := &poster{base: base, key: key, idle: transport.CloseIdleConnections, padding: strings.Repeat("x", eventSize)}
	var err error
	p.api, err = p.over(&http.Client{Transport: transport, Timeout: callTimeout})
	return p, err
}

// over makes a client of the API on those connections.
func (p *poster) over(connections *http.Client) (*client.Client, error) {
	return client.New(client.Config{URL: p.base, Key: p.key, HTTP: connections})
}

// subscribe makes the subscriptions. The absent receiver's subscription retries after an hour.
func (p *poster) subscribe(ctx context.Context, receiver string) error {
	wanted := []switchboard.Subscription{
		{Tenant: tenantAway, Request: switchboard.Request{URL: receiver + pathAway}, Retry: switchboard.RetryPolicy{InitialInterval: switchboard.Duration(time.Hour)}},
	}
	for i := range slowTenants {
		wanted = append(wanted, switchboard.Subscription{
			Tenant: slowTenant(i), Request: switchboard.Request{URL: receiver + pathSlow}, MaxInFlight: switchboard.MaxMaxInFlight,
		})
	}
	for i := range tenants {
		wanted = append(wanted, switchboard.Subscription{Tenant: tenantName(i), Request: switchboard.Request{URL: receiver + pathWell}})
	}
	for _, s := range wanted {
		s.Name, s.Events = "bench", []string{"*"}
		if _, err := p.api.CreateSubscription(ctx, client.NewSubscription{Subscription: s}); err != nil {
			return err
		}
	}
	return nil
}

func tenantName(i int) string { return fmt.Sprintf("bench-%d", i%tenants) }

// post posts one event.
func (p *poster) post(ctx context.Context, via *client.Client, tenant string) (posted, error) {
	n := p.count.Add(1)
	event := p.event(tenant, ticketCreated, n)
	at := time.Now()
	accepted, err := via.PostEvent(ctx, event)
	took := time.Since(at)
	if err == nil && len(accepted.Deliveries) != 1 {
		err = fmt.Errorf("an event has %d deliveries; want 1", len(accepted.Deliveries))
	}
	if err != nil {
		return posted{}, err
	}
	return posted{delivery: accepted.Deliveries[0].ID, at: at, answer: took}, nil
}

// ticketCreated is the type of the events that are measured.
const ticketCreated = "ticket.created"

// event returns a ticket that makes a body of the wanted size.
func (p *poster) event(tenant, kind string, n int64) client.NewEvent {
	const frame, end = `{"tenant":"","type":"","data":}`, `"}`
	data := fmt.Appendf(make([]byte, 0, eventSize), `{"ticket":{"id":%d,"status":"open"},"text":"`, n)
	data = append(data, p.padding[:eventSize-len(frame)-len(tenant)-len(kind)-len(data)-len(end)]...)
	return client.NewEvent{Tenant: tenant, Type: kind, Data: json.RawMessage(append(data, end...))}
}

// burst posts count events, that many at a time, each on a separate connection, as fast as they are
// accepted.
func (p *poster) burst(ctx context.Context, tenant func(i int) string, count, concurrency int) ([]posted, error) {
	all := make([]posted, count)
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range concurrency {
		group.Go(func() error {
			connection, err := connect(ctx, p.base)
			if err != nil {
				return err
			}
			defer connection.CloseIdleConnections()
			via, err := p.over(connection)
			if err != nil {
				return err
			}
			for i := next.Add(1) - 1; i < int64(count); i = next.Add(1) - 1 {
				one, err := p.post(ctx, via, tenant(int(i)))
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

// pace posts count events at a steady rate per second, whether or not the earlier ones have been
// answered.
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
			one, err := p.post(ctx, p.api, tenantName(i))
			all[i] = one
			return err
		})
	}
	err := group.Wait()
	return all, err
}
