package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// Example subscribes an endpoint, posts an event, and looks at what became of it.
func Example() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: os.Getenv("SWITCHBOARD_URL"), Key: switchboard.Secret(os.Getenv("SWITCHBOARD_KEY")), Retries: 3})
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

	// With an id of its own, the event may be posted again: it is accepted once.
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
