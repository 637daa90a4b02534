package api

import (
	"fmt"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seed-49a43567/switchboard"
)

const (
	get, post, put, patch, remove = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete

	publisher, integrator, support, viewer = switchboard.RolePublisher, switchboard.RoleIntegrator, switchboard.RoleSupport, switchboard.RoleViewer

	tagEvents, tagSubscriptions, tagDeliveries, tagCatalogue, tagKeys = "Events", "Subscriptions", "Deliveries", "Catalogue", "API keys"
)

const overview = `Switchboard sends webhooks: you post events, your customers subscribe to them, and each event is delivered, signed, for as long as it takes.

**Keys.** Every call under /v1 needs an API key, as ` + "`Authorization: Bearer sbk_…`" + `. A key has a role and may be bound to one tenant: it then neither sees nor touches another's data.

**Errors** are application/problem+json with a code (invalid, too_large, unauthenticated, forbidden, not_found, conflict, idempotency_key_reused, rate_limited, unavailable, overloaded, no_answer, timeout, internal) and, for bad input, the field at fault. With code unavailable nothing is known to be done: try again, with the same id. With code overloaded nothing was done, because too much is asked for at the same time: try again after Retry-After. The codes no_answer (502) and timeout (504) are those of a trigger that waits: its delivery, which delivery_id names, is stored all the same. Unknown fields and parameters are refused.

**Lists** are newest first; ask for the next page with the cursor that a page ends with. **Times** are RFC 3339 in UTC, **durations** are written as 5s or 1h30m.

**Again.** Send an Idempotency-Key with a POST, and it may be repeated safely: the same key and request get the same answer for 24 hours.

**Ids** begin with what they name: evt_, sub_, dlv_, att_, key_. Send X-Request-Id to find a call in the log by your own id.`

// register registers all routes under /v1. Its tables say what is called, how it is
// documented, and who may call it.
func (s *server) register(h huma.API) {
	s.registerEvents(h)
	s.registerSubscriptions(h)
	s.registerTrials(h)
	s.registerDeliveries(h)
	s.registerCatalogue(h)
	s.registerKeys(h)
}

func (s *server) eventBody() bodyRule {
	return bodyRule{limit: int64(s.MaxData) + eventOverhead, field: "data"}
}

func (s *server) registerEvents(h huma.API) {
	handle(s, h, operation{method: post, path: "/v1/events", id: "post-event", tag: tagEvents, status: http.StatusAccepted, roles: roles{publisher}, body: s.eventBody(),
		summary: "Post an event",
		description: "Answers 202 once the event and its deliveries are stored; from then on they are not lost. " +
			"With an id of your own, posting again is safe: the same id, type, key and data answer with duplicate true, the same id with others is a conflict. Data are compared by value; " +
			"if only their bytes differ, or occurred_at does, warnings says so, and what was stored first stays.",
	}, s.postEvent)
	handle(s, h, operation{method: post, path: "/v1/events/batch", id: "post-events", tag: tagEvents, status: http.StatusAccepted, roles: roles{publisher},
		body:    bodyRule{limit: int64(s.MaxBatch), field: "events", budget: newBodyBudget(batchesAtOnce*int64(s.MaxBatch), budgetWait)},
		summary: "Post up to 1,000 events",
		description: fmt.Sprintf("At most %d bytes in all. ", s.MaxBatch) + "Answers with one result per event, in their order. An event that is malformed, or conflicts with one accepted before, is refused alone: " +
			"look at the status of each result. If the answer is an error, none is known to be stored: posting again is safe for events with ids of your own; if each was refused, the error has the results too. " +
			"Where too many batches are posted at the same time, one is refused as overloaded, and nothing of it is stored.",
	}, s.postBatch)
	handle(s, h, operation{method: get, path: "/v1/events", id: "list-events", tag: tagEvents, roles: roles{publisher, integrator, support, viewer},
		summary: "List events", description: "With their deliveries, and without their data; ask for one event to see it."}, s.listEvents)
	handle(s, h, operation{method: get, path: "/v1/events/{id}", id: "get-event", tag: tagEvents, roles: roles{publisher, integrator, support, viewer},
		summary: "Get an event", description: "With its data and its deliveries."}, s.getEvent)
}

func (s *server) registerSubscriptions(h huma.API) {
	handle(s, h, operation{method: post, path: "/v1/subscriptions", id: "create-subscription", tag: tagSubscriptions, status: http.StatusCreated, roles: roles{integrator},
		body:    bodyRule{limit: subscriptionBody},
		summary: "Create a subscription", description: "The answer holds the signing secret, which is not shown again. " +
			"Before anything is stored, templates are held against the catalogue's samples, addresses against the egress guard, and a token endpoint is asked for a token. " +
			"With verification challenge the address is challenged at once; one that does not answer leaves the subscription unverified, and state_reason says what came back."}, s.createSubscription)
	handle(s, h, operation{method: get, path: "/v1/subscriptions", id: "list-subscriptions", tag: tagSubscriptions, roles: roles{integrator, support, viewer},
		summary: "List subscriptions", description: "Without secrets; values of sensitive headers are masked, and for keys that may not change it the values of the url's query."}, s.listSubscriptions)
	handle(s, h, operation{method: get, path: "/v1/subscriptions/{id}", id: "get-subscription", tag: tagSubscriptions, roles: roles{integrator, support, viewer},
		summary: "Get a subscription", description: "Without secrets; values of sensitive headers are masked, and for keys that may not change it the values of the url's query."}, s.getSubscription)
	handle(s, h, operation{method: patch, path: "/v1/subscriptions/{id}", id: "update-subscription", tag: tagSubscriptions, roles: roles{integrator},
		body:    bodyRule{limit: subscriptionBody},
		summary: "Change a subscription", description: "Changes the given fields only; null removes filter, auth, and the parts of the request that may be left out. Names the version that it changes: if somebody else was faster, it is a conflict. " +
			"A url with another scheme, host or port, or another token_url, needs the secrets that go there again: stored ones are not sent to an address that they were not given for. " +
			"Another url of a subscription with verification challenge is challenged at once, and deliveries are held until it has answered."}, s.updateSubscription)
	handle(s, h, operation{method: remove, path: "/v1/subscriptions/{id}", id: "delete-subscription", acts: true, tag: tagSubscriptions, status: http.StatusNoContent, roles: roles{integrator},
		summary: "Delete a subscription", description: "Its open deliveries are cancelled."}, s.deleteSubscription)
	handle(s, h, operation{method: post, path: "/v1/subscriptions/{id}/rotate_secret", id: "rotate-secret", tag: tagSubscriptions, roles: roles{integrator},
		body:    bodyRule{optional: true},
		summary: "Rotate the signing secret", description: "Answers with the new secret, which is not shown again. For the time of its grace the secret before signs too, and so do those of earlier rotations until the times that they were given; at most 5 sign at a time. signature.secrets says which do, since and until when. hmac-sha256-hex has room for the new one only. The version moves."}, s.rotateSecret)
	handle(s, h, operation{method: post, path: "/v1/subscriptions/{id}/verify", id: "verify-subscription", cost: askingCost, tag: tagSubscriptions, roles: roles{integrator},
		body:    bodyRule{optional: true},
		summary: "Verify the address", description: "Challenges a subscription that is unverified once more. If the answer is right it becomes active and its held deliveries go on; else state_reason says what came back. One that is not unverified stays as it is."}, s.verifySubscription)
	handle(s, h, operation{method: get, path: "/v1/subscriptions/{id}/jwks", id: "list-public-keys", tag: tagSubscriptions, roles: roles{integrator, support, viewer},
		summary: "List the public keys", description: "What receivers verify signatures of the scheme standard-ed25519 with, as JSON Web Keys. A subscription with another scheme has none: 404."}, s.listPublicKeys)
}

// registerTrials is of the calls that try a subscription, or set it off alone.
func (s *server) registerTrials(h huma.API) {
	handle(s, h, operation{method: post, path: "/v1/subscriptions/{id}/test", id: "test-subscription", cost: 5, tag: tagSubscriptions, status: http.StatusAccepted, roles: roles{integrator},
		body:    bodyRule{limit: s.eventBody().limit, field: "data", optional: true},
		summary: "Send a test event", description: "Goes to just this subscription, and is delivered, signed and retried like any other."}, s.testSubscription)
	handle(s, h, operation{method: post, path: "/v1/subscriptions/{id}/trigger", id: "trigger-subscription", cost: 1, tag: tagSubscriptions, status: http.StatusAccepted, roles: roles{publisher, integrator},
		body:    bodyRule{limit: s.eventBody().limit, field: "data"},
		answers: map[int]reflect.Type{http.StatusAccepted: reflect.TypeFor[acceptance](), http.StatusOK: reflect.TypeFor[answered]()},
		summary: "Trigger a subscription",
		description: "For scripts: sends the data, as an event of type script.triggered, to just this subscription, whatever events it takes. " +
			"Answers 202 once it is stored, and it is delivered, signed and retried like any other.\n\n" +
			"With wait the call blocks, and answers 200 with what the receiver answered, whatever its status: the first answer, even if a retry follows. " +
			"If the time is up before, it answers 504 (timeout) and the delivery goes on; if this server stops, or too many wait already, 503 (unavailable), and it goes on too; if the delivery ends without an answer, 502 (no_answer); if it is held or blocked, 409 (conflict) at once. " +
			"Each of these has the delivery_id. Calling again with the same id and data does not send again: it waits for the same delivery.",
	}, s.triggerSubscription)
	handle(s, h, operation{method: post, path: "/v1/subscriptions/{id}/preview", id: "preview-subscription", cost: 2, tag: tagSubscriptions, roles: roles{integrator, support},
		body:    bodyRule{limit: s.eventBody().limit, field: "data", optional: true},
		summary: "Preview a request", description: "Renders and signs the request for an event, and sends nothing. The event is one that was posted, or made of the given data, or the catalogue's sample. What cannot be rendered is an error that names the field and the placeholder. For a key with the role support it is signed with a secret that is made up."}, s.previewSubscription)
	handle(s, h, operation{method: post, path: "/v1/preview", id: "preview", cost: 2, tag: tagSubscriptions, roles: roles{integrator, support},
		body:    bodyRule{limit: s.eventBody().limit + subscriptionBody},
		summary: "Preview a request of a subscription that is not stored", description: "As the preview of one that is. Without a secret it is signed with one that is made up."}, s.previewGiven)
	handle(s, h, operation{method: post, path: "/v1/subscriptions/{id}/match", id: "match-subscription", cost: 2, tag: tagSubscriptions, roles: roles{integrator, support},
		body:    bodyRule{limit: s.eventBody().limit, field: "data", optional: true},
		summary: "Explain whether an event matches", description: "Says of the event types, the state and each condition of the filter whether it holds for an event, and what was found."}, s.matchSubscription)
	handle(s, h, operation{method: post, path: "/v1/match", id: "match", cost: 2, tag: tagSubscriptions, roles: roles{integrator, support},
		body:    bodyRule{limit: s.eventBody().limit + subscriptionBody},
		summary: "Explain whether an event matches a subscription that is not stored", description: "To try a filter before it is saved."}, s.matchGiven)
}

func (s *server) registerDeliveries(h huma.API) {
	handle(s, h, operation{method: get, path: "/v1/deliveries", id: "list-deliveries", tag: tagDeliveries, roles: roles{integrator, support, viewer},
		summary: "List deliveries", description: "All filters must hold. Attempts and actions are in the answer for one delivery."}, s.listDeliveries)
	handle(s, h, operation{method: get, path: "/v1/deliveries/{id}", id: "get-delivery", tag: tagDeliveries, roles: roles{integrator, support, viewer},
		summary: "Get a delivery", description: "With all that happened to it: every attempt with what was sent and answered, and what operators did."}, s.getDelivery)
	handle(s, h, operation{method: post, path: "/v1/deliveries/{id}/retry", id: "retry-delivery", acts: true, tag: tagDeliveries, roles: roles{support},
		body:    bodyRule{optional: true},
		summary: "Retry a delivery now", description: "One that waits for its next attempt makes it at once. One that has ended starts anew, with all attempts of its policy."}, s.retryDelivery)
	handle(s, h, operation{method: post, path: "/v1/deliveries/{id}/cancel", id: "cancel-delivery", acts: true, tag: tagDeliveries, roles: roles{support},
		body:    bodyRule{optional: true},
		summary: "Cancel a delivery", description: "No further request is sent; one under way is aborted."}, s.cancelDelivery)
}

func (s *server) registerCatalogue(h huma.API) {
	handle(s, h, operation{method: get, path: "/v1/event_types", id: "list-event-types", tag: tagCatalogue, roles: roles{publisher, integrator, support, viewer},
		summary: "List event types", description: "All filters must hold."}, s.listEventTypes)
	handle(s, h, operation{method: get, path: "/v1/event_types/{platform}/{name}", id: "get-event-type", tag: tagCatalogue, roles: roles{publisher, integrator, support, viewer},
		summary: "Get an event type", description: "Platform and name are matched in any case."}, s.getEventType)
	handle(s, h, operation{method: put, path: "/v1/event_types/{platform}/{name}", id: "put-event-type", tag: tagCatalogue,
		body:    bodyRule{limit: eventTypeBody},
		summary: "Add or replace an event type", description: "Also one that Switchboard came with. What is left out is empty. Needs a key that is bound to no tenant; other processes follow within seconds."}, s.putEventType)
	handle(s, h, operation{method: patch, path: "/v1/event_types/{platform}/{name}", id: "update-event-type", tag: tagCatalogue,
		body:    bodyRule{limit: eventTypeBody},
		summary: "Change or deprecate an event type", description: "Changes the given fields only; deprecated is one of them. Needs a key that is bound to no tenant; other processes follow within seconds."}, s.patchEventType)
	handle(s, h, operation{method: remove, path: "/v1/event_types/{platform}/{name}", id: "delete-event-type", tag: tagCatalogue, status: http.StatusNoContent,
		summary: "Take back an event type", description: "What was added is gone, and what was changed is again as it came with Switchboard. Events of the type are accepted as before. Needs a key that is bound to no tenant."}, s.deleteEventType)
	handle(s, h, operation{method: get, path: "/v1/platforms", id: "list-platforms", tag: tagCatalogue, roles: roles{publisher, integrator, support, viewer},
		summary: "List platforms", description: "With the profile that a subscription may start from."}, s.listPlatforms)
}

func (s *server) registerKeys(h huma.API) {
	handle(s, h, operation{method: post, path: "/v1/keys", id: "create-key", cost: 2, tag: tagKeys, status: http.StatusCreated,
		summary: "Create an API key", description: "The answer holds the key, which is not shown again. A key that is bound to a tenant makes keys of that tenant only."}, s.createKey)
	handle(s, h, operation{method: get, path: "/v1/keys", id: "list-keys", tag: tagKeys,
		summary: "List API keys", description: "Revoked and expired ones too."}, s.listKeys)
	handle(s, h, operation{method: remove, path: "/v1/keys/{id}", id: "revoke-key", tag: tagKeys,
		summary: "Revoke an API key", description: "It is refused from now on, and stays in the list."}, s.revokeKey)
}
