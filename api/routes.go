package api

import (
	"net/http"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/api/rest"
)

const (
	get, post, put, patch, remove = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete

	publisher, integrator, support, viewer = switchboard.RolePublisher, switchboard.RoleIntegrator, switchboard.RoleSupport, switchboard.RoleViewer

	eventOverhead    = 16 << 10  // the room for an event's members besides its data
	subscriptionBody = 256 << 10 // room for params and certificates of maximum length
	eventTypeBody    = 1 << 20   // room for a schema and the samples of several variants
	batchesAtOnce    = 4         // batches of maximum length that are read at the same time
)

// routes is the table of all operations. Each row has the method and path, the roles that may call
// it in addition to admin, the handler, and the id under which prose.md describes it.
func (s *server) routes() []rest.Route {
	type roles = []switchboard.Role
	readers := roles{integrator, support, viewer}
	everybody := append(roles{publisher}, readers...)
	created, accepted, gone := rest.Status(http.StatusCreated), rest.Status(http.StatusAccepted), rest.Status(http.StatusNoContent)
	event, batch := rest.MaxBody(s.MaxData+eventOverhead, "data"), rest.MaxBody(s.MaxBatch, "events")
	trial, sub, kind := rest.MaxBody(s.MaxData+eventOverhead+subscriptionBody, ""), rest.MaxBody(subscriptionBody, ""), rest.MaxBody(eventTypeBody, "")
	optional, acts, cost, on := rest.OptionalBody, rest.Acts, rest.Cost, rest.Fails
	answer, acceptance := rest.Answers[receiverResponse](http.StatusOK), rest.Answers[acceptance](http.StatusAccepted)
	plan, started := rest.Answers[operationPlan](http.StatusOK), rest.Answers[operation](http.StatusAccepted)
	unknownEvent, unanswered := on(http.StatusNotFound, ""), on(http.StatusBadGateway, "The delivery has ended without a response from the receiver")
	late := on(http.StatusGatewayTimeout, "The receiver has not answered in time; the delivery continues")
	return []rest.Route{
		rest.On(post, "/v1/events", roles{publisher}, s.postEvent, "post-event", accepted, event),
		rest.On(post, "/v1/events/batch", roles{publisher}, s.postBatch, "post-events", accepted, batch, rest.Shared(batchesAtOnce*s.MaxBatch)),
		rest.On(get, "/v1/events", everybody, s.listEvents, "list-events"),
		rest.On(get, "/v1/events/{id}", everybody, s.getEvent, "get-event"),
		rest.On(get, "/v1/events/{id}/explain", readers, s.explainEvent, "explain-event", cost(2)),
		rest.On(remove, "/v1/events/{id}/data", nil, s.eraseEvent, "erase-event", accepted, acts),

		rest.On(post, "/v1/subscriptions", roles{integrator}, s.createSubscription, "create-subscription", created, sub, acts),
		rest.On(get, "/v1/subscriptions", readers, s.listSubscriptions, "list-subscriptions"),
		rest.On(get, "/v1/subscriptions/{id}", readers, s.getSubscription, "get-subscription"),
		rest.On(patch, "/v1/subscriptions/{id}", roles{integrator}, s.updateSubscription, "update-subscription", sub, acts),
		rest.On(remove, "/v1/subscriptions/{id}", roles{integrator}, s.deleteSubscription, "delete-subscription", gone, acts),
		rest.On(post, "/v1/subscriptions/{id}/rotate_secret", roles{integrator}, s.rotateSecret, "rotate-secret", optional, acts),
		rest.On(post, "/v1/subscriptions/{id}/verify", roles{integrator}, s.verifySubscription, "verify-subscription", optional, cost(rest.MaxCost), acts),
		rest.On(post, "/v1/subscriptions/{id}/pause", roles{integrator, support}, s.pauseSubscription, "pause-subscription", acts),
		rest.On(post, "/v1/subscriptions/{id}/resume", roles{integrator, support}, s.resumeSubscription, "resume-subscription", optional, acts),
		rest.On(post, "/v1/subscriptions/{id}/disable", roles{integrator}, s.disableSubscription, "disable-subscription", acts),
		rest.On(post, "/v1/subscriptions/{id}/enable", roles{integrator}, s.enableSubscription, "enable-subscription", optional, acts),
		rest.On(get, "/v1/subscriptions/{id}/jwks", readers, s.listPublicKeys, "list-public-keys"),

		rest.On(post, "/v1/subscriptions/{id}/test", roles{integrator}, s.testSubscription, "test-subscription", accepted, event, optional, cost(5)),
		rest.On(post, "/v1/subscriptions/{id}/trigger", roles{publisher, integrator}, s.triggerSubscription, "trigger-subscription", accepted, event, cost(1), answer, acceptance, unanswered, late),
		rest.On(post, "/v1/subscriptions/{id}/preview", roles{integrator, support}, s.previewSubscription, "preview-subscription", event, optional, cost(2)),
		rest.On(post, "/v1/preview", roles{integrator, support}, s.previewGiven, "preview", trial, cost(2), unknownEvent),
		rest.On(post, "/v1/subscriptions/{id}/match", roles{integrator, support}, s.matchSubscription, "match-subscription", event, optional, cost(2)),
		rest.On(post, "/v1/match", roles{integrator, support}, s.matchGiven, "match", trial, cost(2), unknownEvent),

		rest.On(get, "/v1/deliveries", readers, s.listDeliveries, "list-deliveries"),
		rest.On(get, "/v1/deliveries/facets", readers, s.countFacets, "count-facets", cost(1)),
		rest.On(get, "/v1/search", readers, s.search, "search"),
		rest.On(get, "/v1/deliveries/{id}", readers, s.getDelivery, "get-delivery"),
		rest.On(get, "/v1/deliveries/{id}/attempts/{n}/request", readers, s.getAttemptRequest, "get-attempt-request", cost(2), acts),
		rest.On(post, "/v1/deliveries/{id}/retry", roles{integrator, support}, s.retryDelivery, "retry-delivery", optional, acts),
		rest.On(post, "/v1/deliveries/{id}/cancel", roles{support}, s.cancelDelivery, "cancel-delivery", acts),
		rest.On(post, "/v1/deliveries/{id}/hold", roles{support}, s.holdDelivery, "hold-delivery", acts),
		rest.On(post, "/v1/deliveries/{id}/resend", roles{integrator, support}, s.resendDelivery, "resend-delivery", created, trial, acts),
		rest.On(post, "/v1/deliveries/{id}/preview", roles{integrator, support}, s.previewResend, "preview-resend", trial, optional, cost(2)),
		rest.On(post, "/v1/deliveries/{id}/release", roles{support}, s.releaseDelivery, "release-delivery", optional, acts),

		rest.On(get, "/v1/failures", roles{support, viewer}, s.getFailures, "get-failures"),
		rest.On(get, "/v1/stats", readers, s.getStats, "get-stats"),
		rest.On(get, "/v1/stats/now", roles{support, viewer}, s.getStatsNow, "get-stats-now"),

		rest.On(get, "/v1/operations", readers, s.listOperations, "list-operations"),
		rest.On(post, "/v1/operations", roles{support}, s.startOperation, "start-operation", accepted, acts, cost(2), plan, started),
		rest.On(get, "/v1/operations/{id}", readers, s.getOperation, "get-operation"),
		rest.On(get, "/v1/operations/{id}/items", readers, s.listOperationItems, "list-operation-items"),
		rest.On(post, "/v1/operations/{id}/pause", roles{support}, s.pauseOperation, "pause-operation", acts),
		rest.On(post, "/v1/operations/{id}/resume", roles{support}, s.resumeOperation, "resume-operation", optional, acts),
		rest.On(post, "/v1/operations/{id}/cancel", roles{support}, s.cancelOperation, "cancel-operation", acts),

		rest.On(get, "/v1/actions", readers, s.listActions, "list-actions"),

		rest.On(get, "/v1/event_types", everybody, s.listEventTypes, "list-event-types"),
		rest.On(get, "/v1/event_types/{platform}/{name}", everybody, s.getEventType, "get-event-type"),
		rest.On(put, "/v1/event_types/{platform}/{name}", nil, s.putEventType, "put-event-type", kind, acts),
		rest.On(patch, "/v1/event_types/{platform}/{name}", nil, s.patchEventType, "update-event-type", kind, acts),
		rest.On(remove, "/v1/event_types/{platform}/{name}", nil, s.deleteEventType, "delete-event-type", gone, acts),
		rest.On(get, "/v1/platforms", everybody, s.listPlatforms, "list-platforms"),

		rest.On(remove, "/v1/tenants/{tenant}", nil, s.eraseTenant, "erase-tenant", accepted, acts),
		rest.On(get, "/v1/erasures", nil, s.listErasures, "list-erasures"),
		rest.On(get, "/v1/erasures/{id}", nil, s.getErasure, "get-erasure"),

		rest.On(get, "/v1/me", everybody, s.getMe, "get-me", acts),
		rest.On(post, "/v1/keys", nil, s.createKey, "create-key", created, cost(2), acts),
		rest.On(get, "/v1/keys", nil, s.listKeys, "list-keys"),
		rest.On(get, "/v1/keys/{id}", nil, s.getKey, "get-key"),
		rest.On(remove, "/v1/keys/{id}", nil, s.revokeKey, "revoke-key", acts),
		rest.On(post, "/v1/portal_links", roles{integrator}, s.createPortalLink, "create-portal-link", created, cost(2), acts),
		rest.On(get, "/v1/portal_links", roles{integrator}, s.listPortalLinks, "list-portal-links"),
		rest.On(remove, "/v1/portal_links/{id}", roles{integrator}, s.withdrawPortalLink, "withdraw-portal-link", gone, acts),
		rest.On(get, "/v1/sessions", nil, s.listSessions, "list-sessions"),
		rest.On(remove, "/v1/sessions/{id}", nil, s.endSession, "end-session", gone, acts),
	}
}
