package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// Example subscribes an endpoint, posts an event, and reads the result.
func Example() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: os.Getenv("SWITCHBOARD_URL"), Key: switchboard.Secret(os.Getenv("SWITCHBOARD_API_KEY")), Retries: 3})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.CreateSubscription(ctx, client.NewSubscription{Subscription: switchboard.Subscription{
		Tenant: "acme", Name: "CRM", Events: []string{"ticket.*"},
		Request: switchboard.Request{URL: "https://crm.example.com/hook"},
	}})
	if err != nil {
		log.Fatal(err)
	}

	// An event with its own id may be posted again: it is accepted once.
	event := client.NewEvent{Tenant: "acme", Type: "ticket.created", ID: "ticket-4711-created", Data: json.RawMessage(`{"ticket":{"id":4711}}`)}
	if _, err := c.PostEvent(ctx, event); err != nil {
		if problem, ok := errors.AsType[*client.Error](err); ok {
			log.Fatalf("the API says %s of the field %q", problem.Detail, problem.Field)
		}
		log.Fatal(err)
	}

	for delivery, err := range c.Deliveries(ctx, switchboard.DeliveryFilter{Event: event.ID}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(delivery.ID, delivery.State, delivery.Reason)
	}
}

// connect makes a client from the environment.
func connect() *client.Client {
	c, err := client.New(client.Config{URL: os.Getenv("SWITCHBOARD_URL"), Key: switchboard.Secret(os.Getenv("SWITCHBOARD_API_KEY")), Retries: 3})
	if err != nil {
		log.Fatal(err)
	}
	return c
}

// An error has a kind, and the field at fault.
func ExampleError() {
	_, err := connect().PostEvent(context.Background(), client.NewEvent{Tenant: "acme", Type: "not a type", Data: json.RawMessage(`{}`)})
	if problem, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(problem.Status, problem.Code, problem.Field)
	}
	switch switchboard.CodeOf(err) {
	case switchboard.CodeInvalid:
		fmt.Println("the input is wrong")
	case switchboard.CodeOverloaded, switchboard.CodeUnavailable, switchboard.CodeRateLimited:
		fmt.Println("try again later")
	}
	// Prints:
	// 422 invalid type
	// the input is wrong
}

// An event that is posted again with the same id is a duplicate, and is delivered once.
func ExampleClient_PostEvent() {
	event := client.NewEvent{Tenant: "acme", Type: "ticket.solved", ID: "ticket-1-solved", Data: json.RawMessage(`{"id":1}`)}
	for range 2 {
		accepted, err := connect().PostEvent(context.Background(), event)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(accepted.ID, accepted.Duplicate)
	}
	// Prints:
	// ticket-1-solved false
	// ticket-1-solved true
}

// Each event of a batch has its own result.
func ExampleClient_PostEvents() {
	results, err := connect().PostEvents(context.Background(), []client.NewEvent{
		{Tenant: "acme", Type: "ticket.closed", ID: "ticket-1-closed", Data: json.RawMessage(`{"id":1}`)},
		{Tenant: "acme", Type: "not a type", Data: json.RawMessage(`{}`)},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, result := range results {
		if result.Problem != nil {
			fmt.Println(result.Status, result.Problem.Field)
			continue
		}
		fmt.Println(result.Status, result.ID)
	}
	// Prints:
	// accepted ticket-1-closed
	// error type
}

// An iterator requests further pages when it needs them, and can be stopped at any time.
func ExampleClient_Events() {
	for event, err := range connect().Events(context.Background(), switchboard.EventFilter{Tenant: "acme", Type: "ticket.solved"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.ID)
	}
	// Prints:
	// ticket-1-solved
}

// A change names the version that it changes, so that no other change is lost.
func ExampleClient_UpdateSubscription() {
	ctx, c := context.Background(), connect()
	made, err := c.CreateSubscription(ctx, client.NewSubscription{Subscription: switchboard.Subscription{
		Tenant: "acme", Name: "Warehouse", Events: []string{"order.*"}, Request: switchboard.Request{URL: "https://warehouse.example.com/hook"},
	}})
	if err != nil {
		log.Fatal(err)
	}
	changed, err := c.UpdateSubscription(ctx, made.ID, made.Version, client.Patch{"timeout": "20s", "rate_limit": nil})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(changed.Timeout, changed.Version)

	_, err = c.UpdateSubscription(ctx, made.ID, made.Version, client.Patch{"timeout": "30s"})
	fmt.Println(switchboard.CodeOf(err))
	// Prints:
	// 20s 2
	// conflict
}

// A pause holds deliveries, and the end of the pause releases them.
func ExampleClient_PauseSubscription() {
	ctx, c := context.Background(), connect()
	for subscription, err := range c.Subscriptions(ctx, switchboard.SubscriptionFilter{Tenant: "acme"}, client.IncludeHealth) {
		if err != nil {
			log.Fatal(err)
		}
		if subscription.Name != "Warehouse" {
			continue
		}
		paused, err := c.PauseSubscription(ctx, subscription.ID, "they move their server", client.Actor("ana"))
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(paused.State, "by", paused.StateBy)
		resumed, err := c.ResumeSubscription(ctx, subscription.ID, "they have moved")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(resumed.State)
	}
	// Prints:
	// paused by ana
	// active
}

// An action can depend on the state of the delivery when it was read.
func ExampleClient_RetryDelivery() {
	ctx, c := context.Background(), connect()
	for delivery, err := range c.Deliveries(ctx, switchboard.DeliveryFilter{Tenant: "acme", Event: "ticket-4711-created"}) {
		if err != nil {
			log.Fatal(err)
		}
		cancelled, err := c.CancelDelivery(ctx, delivery.ID, client.Act{Reason: "not wanted", Expect: delivery.Expect()})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(cancelled.State)

		_, err = c.HoldDelivery(ctx, delivery.ID, client.Act{Reason: "wait", Expect: delivery.Expect()})
		if problem, ok := errors.AsType[*client.Error](err); ok && problem.Current != nil {
			fmt.Println("it is", problem.Current.State, "by now")
		}
		later := time.Now().Add(time.Hour)
		again, err := c.RetryDelivery(ctx, delivery.ID, client.Retry{Act: client.Act{Reason: "wanted after all"}, RetryAt: &later})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(again.State)
	}
	// Prints:
	// cancelled
	// it is cancelled by now
	// pending
}

// A plan shows what an operation would do, and is started exactly as it was shown.
func ExampleClient_PlanOperation() {
	ctx, c := context.Background(), connect()
	plan, err := c.PlanOperation(ctx, client.NewOperation{
		Action: switchboard.ActionCancel, Filter: &switchboard.Selection{Tenant: "acme", EventType: "ticket.created", States: []switchboard.State{switchboard.StatePending}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Count.Value, plan.Count.Exact, plan.ByState)

	operation, err := c.StartOperation(ctx, client.NewOperation{Plan: plan.Plan, Reason: "posted by mistake"}, client.Actor("ana"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(operation.State, operation.Total)

	_, err = c.StartOperation(ctx, client.NewOperation{Plan: plan.Plan, Reason: "once more"})
	fmt.Println(switchboard.CodeOf(err))

	stopped, err := c.CancelOperation(ctx, operation.ID, "it was none")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stopped.State)
	for item, err := range c.OperationItems(ctx, operation.ID, switchboard.OutcomeSkipped) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(item.DeliveryID, item.Why)
	}
	// Prints:
	// 1 true [{pending 1}]
	// running 1
	// conflict
	// cancelled
}

// A search finds ids, keys, tenants, hosts and names by their beginning.
func ExampleClient_Search() {
	hits, err := connect().Search(context.Background(), "ticket-4711")
	if err != nil {
		log.Fatal(err)
	}
	for _, hit := range hits {
		fmt.Println(hit.Kind, hit.ID, hit.Tenant, hit.Text, hit.Exact)
	}
	// Prints:
	// event ticket-4711-created acme ticket.created false
}

// A list can also count its matches, and facets count them by value.
func ExampleClient_CountFacets() {
	ctx, c := context.Background(), connect()
	page, err := c.ListDeliveries(ctx, switchboard.DeliveryFilter{Tenant: "acme"}, switchboard.PageRequest{Limit: 1, Count: true})
	if err != nil {
		log.Fatal(err)
	}
	facets, err := c.CountFacets(ctx, switchboard.DeliveryFilter{Tenant: "acme"}, switchboard.FacetHost)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Count.Value, page.Count.More, facets.Values[switchboard.FacetHost])
	// Prints:
	// 3 false [{crm.example.com 3}]
}

// Attempts are counted over time; what is open now is counted at the moment of the call.
func ExampleClient_GetStats() {
	ctx, c := context.Background(), connect()
	stats, err := c.GetStats(ctx, switchboard.TrafficQuery{By: switchboard.TrafficByFailure, From: time.Now().Add(-24 * time.Hour)})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.By, time.Duration(stats.Step))
	for _, group := range stats.Groups {
		fmt.Println(group.Value, group.Attempts, group.P95)
	}

	now, err := c.GetStatsNow(ctx, "acme")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(now.Open[switchboard.StateHeld], now.Breakers)

	failing, err := c.GetFailures(ctx, "acme", 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(failing.Groups))
	// Prints:
	// failure 15m0s
	// 0 0
	// 0
}

// The text of a key is only in the answer that made it.
func ExampleClient_CreateKey() {
	ctx, c := context.Background(), connect()
	key, err := c.CreateKey(ctx, client.NewKey{Name: "support of acme", Role: switchboard.RoleSupport, Tenant: "acme"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Role, key.Tenant, key.ReadPayload, len(key.Key.Reveal()) > 0)
	// Prints:
	// support acme false true
}

// Every change is in the audit, with the person and the reason.
func ExampleClient_Actions() {
	for entry, err := range connect().Actions(context.Background(), switchboard.AuditFilter{Tenant: "acme", Kind: switchboard.AuditDelivery, Verb: switchboard.AuditCancel}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(entry.Verb, entry.Reason)
	}
	// Prints:
	// cancel not wanted
}

// After the request, an erasure continues by itself.
func ExampleClient_EraseEvent() {
	ctx, c := context.Background(), connect()
	erasure, err := c.EraseEvent(ctx, "ticket-1-closed", "acme", "the customer asked for it")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(erasure.Tenant, erasure.Reason)
	// Prints:
	// acme the customer asked for it
}
