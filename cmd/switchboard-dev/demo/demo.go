// Package demo shows Switchboard at work on a development stack: receivers that work and
// receivers that fail, subscriptions to them, and a stream of sample events posted through
// the API as a platform would.
package demo

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// Config says where the demo finds the stack.
type Config struct {
	API      string             // base URL of the API
	Key      switchboard.Secret // API key with the role admin
	Receiver string             // address that the receivers listen on
	Expired  string             // address of the receiver whose certificate is expired
	Secret   switchboard.Secret // signing secret of the demo's subscriptions
	Out      io.Writer          // where the demo prints
}

// Tenant is the tenant of the demo's events.
const Tenant = "demo"

// The first events come at a pace that people can follow. Later ones are so slow that a person's
// own work stays visible in the terminal, and that a forgotten stack stays small.
const (
	quickly   = 12 // events
	quickPace = 2 * time.Second
	slowPace  = 20 * time.Second
)

var (
	//go:embed samples/ziwo_call.json
	ziwoCall []byte
	//go:embed samples/ziwo_agent.json
	ziwoAgent []byte
	//go:embed samples/ticket.json
	ticket []byte
)

// Run runs the demo until ctx ends.
func Run(ctx context.Context, c Config) error {
	r, err := newReceiver(c)
	if err != nil {
		return err
	}
	c.explain()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.serve(ctx) })
	group.Go(func() error { return c.play(ctx) })
	return group.Wait()
}

// explain says what can be seen, and what to try.
func (c Config) explain() {
	fmt.Fprintf(c.Out, `The demo posts events for four endpoints. The help desk's works. The CRM's answers 503 for %[1]s of every %[2]s, and
deliveries to it fail for good after %[3]d attempts. The warehouse's hangs: after %[4]d timeouts its breaker opens, and its deliveries
are held. The certificate of billing's is expired. A fifth, on call, hears of breakers.

  In the console: the page "Try it" goes through it in five steps.
  From a shell:   README.md, "A first delivery", with a receiver of your own.

`, outage, switchboard.Duration(period), crmAttempts, warehouseFailures)
}

// play subscribes the endpoints and posts the sample events in turn, until ctx ends.
func (c Config) play(ctx context.Context) error {
	api, err := client.New(client.Config{URL: c.API, Key: c.Key})
	if err != nil {
		return err
	}
	for _, s := range c.subscriptions() {
		// It exists if an earlier start made it.
		_, err := api.CreateSubscription(ctx, client.NewSubscription{Subscription: s, Secret: c.Secret})
		if err != nil && switchboard.CodeOf(err) != switchboard.CodeConflict {
			return fmt.Errorf("the demo's subscription: %w", err)
		}
	}
	samples := []struct {
		kind string
		data []byte
	}{{"ticket.created", ticket}, {"call.ringing", ziwoCall}, {"agent.connected", ziwoAgent}}
	tick := time.NewTicker(quickPace)
	defer tick.Stop()
	for i := 0; ctx.Err() == nil; i++ {
		sample := samples[i%len(samples)]
		if err := c.post(ctx, api, sample.kind, sample.data); err != nil && ctx.Err() == nil {
			fmt.Fprintf(c.Out, "  demo      %s was not accepted: %v\n", sample.kind, err)
		}
		if i == quickly {
			tick.Reset(slowPace)
			fmt.Fprintf(c.Out, "  demo      from now on an event every %s, until Ctrl-C\n", slowPace)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
	return nil
}

func (c Config) post(ctx context.Context, api *client.Client, kind string, data []byte) error {
	accepted, err := api.PostEvent(ctx, client.NewEvent{Tenant: Tenant, Type: kind, Data: data})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "  posted    %s, event %s: %d deliveries\n", kind, accepted.ID, len(accepted.Deliveries))
	return nil
}
