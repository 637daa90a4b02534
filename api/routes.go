package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"switchboard"
)

const (
	get, post, patch, remove = http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete

	tagEvents, tagSubscriptions, tagDeliveries, tagKeys = "Events", "Subscriptions", "Deliveries", "API keys"
)

const overview = `Switchboard sends webhooks: you post events, your customers subscribe to them, and each event is delivered, signed, for as long as it takes.

**Keys.** Every call under /v1 needs an API key, as ` + "`Authorization: Bearer sbk_…`" + `. A key has a role and may be bound to one tenant: it then neither sees nor touches another's data.

**Errors** are application/problem+json with a code (invalid, too_large, unauthenticated, forbidden, not_found, conflict, unavailable, internal) and, for bad input, the field at fault. With code unavailable nothing is known to be done: try again, with the same id. Unknown fields and parameters are refused.

**Lists** are newest first; ask for the next page with the cursor that a page ends with. **Times** are RFC 3339 in UTC, **durations** are written as 5s or 1h30m.

**Ids** begin with what they name: evt_, sub_, dlv_, att_, key_. Send X-Request-Id to find a call in the log by your own id.`

// register is the table of all routes under /v1: what is called, how it is
// documented, and who may call it.
func (s *server) register(h huma.API) {
	// Who may call what, beside admin.
	publishers := []switchboard.Role{switchboard.Publisher}
	integrators := []switchboard.Role{switchboard.Integrator}
	operators := []switchboard.Role{switchboard.Support}
	readers := []switchboard.Role{switchboard.Integrator, switchboard.Support, switchboard.Viewer}
	eventReaders := append([]switchboard.Role{switchboard.Publisher}, readers...)
	var admins []switchboard.Role
	eventBody := bodyRule{limit: int64(s.MaxData) + eventOverhead, field: "data"}

	handle(s, h, operation{method: post, path: "/v1/events", id: "post-event", tag: tagEvents, status: http.StatusAccepted, roles: publishers, body: eventBody,
		summary: "Post an event",
		description: "Answers 202 once the event and its deliveries are stored; from then on they are not lost. " +
			"With an id of your own, posting again is safe: the same id and content answer with duplicate true, the same id with other content is a conflict.",
	}, s.postEvent)
	handle(s, h, operation{method: post, path: "/v1/events/batch", id: "post-events", tag: tagEvents, status: http.StatusAccepted, roles: publishers,
		body:    bodyRule{limit: batchBody, field: "events"},
		summary: "Post up to 1,000 events",
		description: "Answers with one result per event, in their order. An event that is malformed, or conflicts with one accepted before, is refused alone: " +
			"look at the status of each result. If the answer is an error, none was stored.",
	}, s.postBatch)
	handle(s, h, operation{method: get, path: "/v1/events", id: "list-events", tag: tagEvents, roles: eventReaders,
		summary: "List events", description: "With their deliveries, and without their data; ask for one event to see it."}, s.listEvents)
	handle(s, h, operation{method: get, path: "/v1/events/{id}", id: "get-event", tag: tagEvents, roles: eventReaders,
		summary: "Get an event", description: "With its data and its deliveries."}, s.getEvent)

	handle(s, h, operation{method: post, path: "/v1/subscriptions", id: "create-subscription", tag: tagSubscriptions, status: http.StatusCreated, roles: integrators,
		summary: "Create a subscription", description: "The answer holds the signing secret, which is not shown again."}, s.createSubscription)
	handle(s, h, operation{method: get, path: "/v1/subscriptions", id: "list-subscriptions", tag: tagSubscriptions, roles: readers,
		summary: "List subscriptions", description: "Without secrets; values of sensitive headers are masked."}, s.listSubscriptions)
	handle(s, h, operation{method: get, path: "/v1/subscriptions/{id}", id: "get-subscription", tag: tagSubscriptions, roles: readers,
		summary: "Get a subscription", description: "Without secrets; values of sensitive headers are masked."}, s.getSubscription)
	handle(s, h, operation{method: patch, path: "/v1/subscriptions/{id}", id: "update-subscription", tag: tagSubscriptions, roles: integrators,
		summary: "Change a subscription", description: "Changes the given fields only. Names the version that it changes: if somebody else was faster, it is a conflict."}, s.updateSubscription)
	handle(s, h, operation{method: remove, path: "/v1/subscriptions/{id}", id: "delete-subscription", tag: tagSubscriptions, status: http.StatusNoContent, roles: integrators,
		summary: "Delete a subscription", description: "Its open deliveries are cancelled."}, s.deleteSubscription)
	handle(s, h, operation{method: post, path: "/v1/subscriptions/{id}/rotate_secret", id: "rotate-secret", tag: tagSubscriptions, roles: integrators,
		body:    bodyRule{optional: true},
		summary: "Rotate the signing secret", description: "Answers with the new secret, which is not shown again. For the time of the grace both secrets sign."}, s.rotateSecret)
	handle(s, h, operation{method: post, path: "/v1/subscriptions/{id}/test", id: "test-subscription", tag: tagSubscriptions, status: http.StatusAccepted, roles: integrators,
		body:    bodyRule{limit: eventBody.limit, field: "data", optional: true},
		summary: "Send a test event", description: "Goes to just this subscription, and is delivered, signed and retried like any other."}, s.testSubscription)

	handle(s, h, operation{method: get, path: "/v1/deliveries", id: "list-deliveries", tag: tagDeliveries, roles: readers,
		summary: "List deliveries", description: "All filters must hold. Attempts and actions are in the answer for one delivery."}, s.listDeliveries)
	handle(s, h, operation{method: get, path: "/v1/deliveries/{id}", id: "get-delivery", tag: tagDeliveries, roles: readers,
		summary: "Get a delivery", description: "With all that happened to it: every attempt with what was sent and answered, and what operators did."}, s.getDelivery)
	handle(s, h, operation{method: post, path: "/v1/deliveries/{id}/retry", id: "retry-delivery", tag: tagDeliveries, roles: operators,
		body:    bodyRule{optional: true},
		summary: "Retry a delivery now", description: "One that waits for its next attempt makes it at once. One that has ended starts anew, with all attempts of its policy."}, s.retryDelivery)
	handle(s, h, operation{method: post, path: "/v1/deliveries/{id}/cancel", id: "cancel-delivery", tag: tagDeliveries, roles: operators,
		body:    bodyRule{optional: true},
		summary: "Cancel a delivery", description: "No further request is sent; one under way is aborted."}, s.cancelDelivery)

	handle(s, h, operation{method: post, path: "/v1/keys", id: "create-key", tag: tagKeys, status: http.StatusCreated, roles: admins,
		summary: "Create an API key", description: "The answer holds the key, which is not shown again. A key that is bound to a tenant makes keys of that tenant only."}, s.createKey)
	handle(s, h, operation{method: get, path: "/v1/keys", id: "list-keys", tag: tagKeys, roles: admins,
		summary: "List API keys", description: "Revoked and expired ones too."}, s.listKeys)
	handle(s, h, operation{method: remove, path: "/v1/keys/{id}", id: "revoke-key", tag: tagKeys, roles: admins,
		summary: "Revoke an API key", description: "It is refused from now on, and stays in the list."}, s.revokeKey)
}
