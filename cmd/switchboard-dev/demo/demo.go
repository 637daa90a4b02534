// Package demo shows Switchboard at work on a development stack: a receiver, a
// subscription to it, and a stream of sample events posted through the API as a
// platform would.
package demo

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// Config says where the demo finds the stack.
type Config struct {
	API      string             // base URL of the API
	Key      switchboard.Secret // API key with the role admin
	UI       string             // base URL of Temporal's web UI
	Receiver string             // address that the receiver listens on
	Secret   switchboard.Secret // signing secret of the demo's subscriptions
	Out      io.Writer          // where the demo prints
}

// The demo's events are those of one tenant. The first come at a pace that can be read, and
// the others so slowly that what somebody does beside them is not lost in the terminal.
const (
	tenant    = "demo"
	quickly   = 10 // events
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
	listener, err := net.Listen("tcp", c.Receiver)
	if err != nil {
		return fmt.Errorf("the demo's receiver: %w (choose another address with --demo-addr, or leave the demo out with --no-demo)", err)
	}
	r, err := newReceiver(c.Secret, c.Out)
	if err != nil {
		return err
	}
	c.explain()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.serve(ctx, listener) })
	group.Go(func() error { return r.recover(ctx, outage) })
	group.Go(func() error { return c.play(ctx, "http://"+listener.Addr().String()) })
	return group.Wait()
}

// explain says what is to be seen, and what to try.
func (c Config) explain() {
	fmt.Fprintf(c.Out, `The demo posts events for three endpoints. The CRM's fails for %[1]s and then recovers. After 5 failures in a row its breaker
opens, and its deliveries are held until a probe succeeds: a fourth endpoint, on call, hears of both. Try meanwhile:

  what waits, why and until when
    curl -s '%[2]s/v1/deliveries?tenant=%[3]s&state=retrying' -H 'Authorization: Bearer %[4]s'
    curl -s '%[2]s/v1/deliveries?tenant=%[3]s&state=held' -H 'Authorization: Bearer %[4]s'
  one of them, with every attempt (and POST …/retry sends it again now)
    curl -s %[2]s/v1/deliveries/DELIVERY -H 'Authorization: Bearer %[4]s'
  the same in Temporal: a running workflow with one pending activity
    %[5]s/namespaces/default/workflows
  your own receiver: README.md, "A first delivery by hand"

`, outage, c.API, tenant, c.Key.Reveal(), c.UI)
}

// play subscribes the receiver and posts the sample events in turn, until ctx ends.
func (c Config) play(ctx context.Context, receiver string) error {
	api, err := client.New(client.Config{URL: c.API, Key: c.Key})
	if err != nil {
		return err
	}
	for _, s := range []switchboard.Subscription{
		{Name: "Call centre", Events: []string{"call.*", "agent.*"}, Request: switchboard.Request{URL: receiver + "/calls", Body: switchboard.BodyData}},
		{Name: "Help desk", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: receiver + "/tickets", Body: switchboard.BodyEnvelope}},
		{Name: "CRM", Events: []string{"ticket.*"}, Request: switchboard.Request{URL: receiver + failingPath, Body: switchboard.BodyEnvelope}, Breaker: switchboard.Breaker{FailuresInARow: 5}},
		{Name: "On call", Events: []string{switchboard.OperationalPrefix + "*"}, Request: switchboard.Request{URL: receiver + onCallPath, Body: switchboard.BodyEnvelope}},
	} {
		if err := c.subscribe(ctx, api, s); err != nil {
			return err
		}
	}
	samples := []struct {
		kind string
		data []byte
	}{{"call.ringing", ziwoCall}, {"agent.connected", ziwoAgent}, {"ticket.created", ticket}}
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

// subscribe creates the subscription, unless an earlier start did.
func (c Config) subscribe(ctx context.Context, api *client.Client, s switchboard.Subscription) error {
	s.Tenant = tenant
	s.Retry = switchboard.RetryPolicy{ // retries that can be waited for
		InitialInterval: switchboard.Duration(3 * time.Second), BackoffCoefficient: 2, MaximumInterval: switchboard.Duration(15 * time.Second),
	}
	if _, err := api.CreateSubscription(ctx, client.NewSubscription{Subscription: s, Secret: c.Secret}); err != nil && switchboard.CodeOf(err) != switchboard.CodeConflict {
		return fmt.Errorf("the demo's subscription: %w", err)
	}
	return nil
}

func (c Config) post(ctx context.Context, api *client.Client, kind string, data []byte) error {
	accepted, err := api.PostEvent(ctx, client.NewEvent{Tenant: tenant, Type: kind, Data: data})
	if err != nil {
		return err
	}
	for _, d := range accepted.Deliveries {
		fmt.Fprintf(c.Out, "  posted    %s  %s, event %s\n", d.ID, kind, accepted.ID)
	}
	return nil
}
