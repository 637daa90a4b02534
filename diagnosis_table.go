package switchboard

import (
	"net/http"
	"strings"
)

// Side says who can end the problem of a delivery.
type Side string

// The sides.
const (
	SideNobody      Side = "nobody"      // nothing is wrong
	SideReceiver    Side = "receiver"    // the people who run the endpoint
	SideSettings    Side = "settings"    // the people who edit the subscription
	SideSwitchboard Side = "switchboard" // the people who run Switchboard
	SideOperator    Side = "operator"    // an operator, who wanted it so
)

// Explanation is a line of the table with the words for a failure or a reason. Says is the end of a
// sentence; a word in braces stands for a fact of the delivery.
type Explanation struct {
	Failure   Failure // of an attempt; empty: the line is about a reason
	Status    int     // only with that status; 0: with every other
	Permanent bool    // only if no later attempt can succeed, whatever the status
	Cut       bool    // only if Switchboard's load shortened the time limit
	Reason    string  // of a delivery; empty: the line is about a failure
	State     State   // only in that state; empty: in every other
	Says      string
	Side      Side
	Advice    string
}

// FailureExplanations is the table of failures. The first line of a failure that fits applies.
func FailureExplanations() []Explanation {
	const (
		look      = "Look for the webhook-id in the receiver's log: it may have the request"
		wait      = "Wait: it is retried. If it lasts, tell the owner of the endpoint"
		templates = "Repair the templates, headers or secret of the subscription, and preview them with this event"
		received  = "The receiver may have the request; it recognises a second one by the same webhook-id"
	)
	return []Explanation{
		{Failure: FailureDNS, Says: "the name of {host} did not resolve", Side: SideReceiver, Advice: "Check the host in the URL, and the name server of its domain"},
		{Failure: FailureConnectRefused, Says: "nobody listens at {address}", Side: SideReceiver, Advice: "Check the port in the URL, whether the service runs, and its firewall"},
		{Failure: FailureConnectTimeout, Says: "{address} did not accept a connection in time", Side: SideReceiver, Advice: "Check the URL, and whether the receiver's firewall lets our addresses in"},
		{Failure: FailureConnect, Says: "{address} could not be reached", Side: SideReceiver, Advice: "Check the URL, and the routes and the firewall of the receiver"},
		{Failure: FailureTLSExpired, Says: "the certificate of {host} has expired, or is not valid yet", Side: SideReceiver, Advice: "Renew the certificate of the endpoint"},
		{Failure: FailureTLSUntrusted, Says: "the issuer of the certificate of {host} is not trusted", Side: SideReceiver, Advice: "Serve the whole chain of certificates: often an intermediate one is missing"},
		{Failure: FailureTLSName, Says: "the certificate of {host} is for another name", Side: SideReceiver, Advice: "Serve a certificate for that name, or give the URL a name that the certificate has"},
		{Failure: FailureTLS, Says: "the TLS handshake with {host} failed", Side: SideReceiver, Advice: "Check the port in the URL, the TLS versions of the endpoint, and whether it wants a client certificate"},
		{Failure: FailureTimeout, Cut: true, Says: "{host} gave no complete answer within {timeout}; load on our workers had shortened the subscription's limit of {limit} to that", Side: SideSwitchboard, Advice: "Add workers, or set adaptive.minimum_timeout of the subscription"},
		{Failure: FailureTimeout, Says: "{host} gave no complete answer within {timeout}", Side: SideReceiver, Advice: "The receiver should answer first, and work later; timeout can be raised to 30s"},
		{Failure: FailureReset, Says: "{host} closed the connection after {latency}, before its answer was complete", Side: SideReceiver, Advice: look},
		{Failure: FailureBadResponse, Says: "{host} answered with something that is not HTTP, or with a status below 200 or above 599", Side: SideReceiver, Advice: "Check the port in the URL, and any proxy in front of the receiver"},
		{Failure: FailureRedirect, Says: "{host} answered {code}, a redirect; redirects are not followed", Side: SideSettings, Advice: "Give the subscription the final URL; the attempt's response names it"},
		{Failure: FailureHTTP4xx, Status: http.StatusUnauthorized, Says: "{host} refused our credentials with {code}", Side: SideSettings, Advice: "Compare secret, auth and clock with the receiver's, then send a test"},
		{Failure: FailureHTTP4xx, Status: http.StatusForbidden, Says: "{host} refused our credentials with {code}", Side: SideSettings, Advice: "Compare secret, auth and clock with the receiver's, then send a test"},
		{Failure: FailureHTTP4xx, Status: http.StatusNotFound, Says: "{host} has nothing at the path of the URL: {code}", Side: SideSettings, Advice: "Correct the URL of the subscription"},
		{Failure: FailureHTTP4xx, Status: http.StatusMethodNotAllowed, Says: "{host} does not accept the method: {code}", Side: SideSettings, Advice: "Correct request.method or the URL of the subscription"},
		{Failure: FailureHTTP4xx, Status: http.StatusGone, Says: "{host} answered {code}: the endpoint is gone for good", Side: SideSettings, Advice: "Give the subscription another URL and enable it, or delete it"},
		{Failure: FailureHTTP4xx, Status: http.StatusRequestEntityTooLarge, Says: "the request is too large for {host}: {code}", Side: SideSettings, Advice: "Raise the limit of the receiver, or send less of the event"},
		{Failure: FailureHTTP4xx, Status: http.StatusUnsupportedMediaType, Says: "{host} does not accept the content type: {code}", Side: SideSettings, Advice: "Correct request.content_type of the subscription"},
		{Failure: FailureHTTP4xx, Status: http.StatusUnprocessableEntity, Says: "{host} does not accept the content of the request: {code}", Side: SideSettings, Advice: "Read the response, and preview the request with this event"},
		{Failure: FailureHTTP4xx, Status: http.StatusTooManyRequests, State: StateFailed, Says: "{host} asks for fewer requests: {code}", Side: SideReceiver, Advice: "Give the subscription a rate_limit or a lower max_in_flight, then retry it"},
		{Failure: FailureHTTP4xx, Status: http.StatusTooManyRequests, Says: "{host} asks for fewer requests: {code}", Side: SideReceiver, Advice: "Wait, or give the subscription a rate_limit or a lower max_in_flight"},
		{Failure: FailureHTTP4xx, Says: "{host} refused the request with {code}", Side: SideSettings, Advice: "Read the response, and preview the request with this event"},
		{Failure: FailureHTTP5xx, Status: http.StatusNotImplemented, Says: "{host} does not know the method: {code}", Side: SideSettings, Advice: "Correct request.method of the subscription"},
		{Failure: FailureHTTP5xx, State: StateFailed, Says: "{host} failed with {code}", Side: SideReceiver, Advice: "Ask the owner of the endpoint whether it works again, then retry it"},
		{Failure: FailureHTTP5xx, Says: "{host} failed with {code}", Side: SideReceiver, Advice: wait},
		{Failure: FailureForbidden, Says: "{host} has only addresses that Switchboard may not connect to", Side: SideSettings, Advice: "Give the URL a host with a public address; an operator of Switchboard can allow a private network"},
		{Failure: FailureRender, Permanent: true, Says: "the request cannot be made, because the event's data are erased", Side: SideNobody, Advice: "Post the event again, under another id"},
		{Failure: FailureRender, Says: "the request could not be made from the event and the subscription", Side: SideSettings, Advice: templates},
		{Failure: FailureAuth, Says: "the token endpoint of the subscription gave no token", Side: SideSettings, Advice: "Check auth of the subscription: client, secret and token_url. The detail shows the token endpoint's answer"},
		{Failure: FailureAborted, Says: "an operator aborted the request to {host}", Side: SideOperator, Advice: received},
		{Failure: FailureUnknown, Says: "the request to {host} may have been sent, but our process ended before it knew the answer", Side: SideSwitchboard, Advice: received},
	}
}

// ReasonExplanations is the table of reasons that are not failures.
func ReasonExplanations() []Explanation {
	const again = "Retry it if it is still wanted"
	return []Explanation{
		{Reason: ReasonSubscriptionPaused, Says: "{subscription} is paused{by}", Side: SideOperator, Advice: "Resume the subscription: its held deliveries are then sent"},
		{Reason: ReasonSubscriptionDisabled, Says: "{subscription} is disabled{by}", Side: SideSettings, Advice: "Repair what the reason names, then enable the subscription: its held deliveries are then sent"},
		{Reason: ReasonSubscriptionUnverified, Says: "the address of {subscription} has not answered its challenge{by}", Side: SideReceiver, Advice: "Let the receiver answer the challenge, then verify the subscription again"},
		{Reason: ReasonBreakerOpen, Says: "{host} fails, so its breaker is open{breaker}", Side: SideReceiver, Advice: "Repair the endpoint: the next probe then succeeds, and the held deliveries are sent. To try at once, pause and resume the subscription"},
		{Reason: ReasonReceiverAskedToWait, Says: "{host} asked us to wait, by Retry-After", Side: SideReceiver, Advice: "Wait; if it happens often, give the subscription a rate_limit"},
		{Reason: ReasonEndpointFailing, Says: "the latest attempts to {host} have failed, so the first attempt of a new delivery waits a few seconds", Side: SideReceiver, Advice: "Wait; see why the latest deliveries to it failed"},
		{Reason: ReasonRateLimited, Says: "the rate_limit of {subscription} is used up, and earlier deliveries wait too", Side: SideSettings, Advice: "Wait, or raise the rate_limit"},
		{Reason: ReasonWaitingForSlot, State: StateHeld, Says: "{subscription} has as many requests in flight as max_in_flight allows, and earlier deliveries wait too", Side: SideReceiver, Advice: "Wait; the receiver should answer sooner, or max_in_flight can be raised"},
		{Reason: ReasonWaitingForSlot, Says: "all slots of the worker are taken", Side: SideSwitchboard, Advice: "Wait; add workers if it lasts"},
		{Reason: ReasonOperator, State: StateHeld, Says: "requested by {who}", Side: SideOperator, Advice: "Release it"},
		{Reason: ReasonOperator, Says: "requested by {who}", Side: SideOperator, Advice: again},
		{Reason: ReasonEarlierDeliveryOpen, Says: "{blocked_by}, an earlier delivery of the same key, is open", Side: SideReceiver, Advice: "Look at that delivery: once it has ended, or an operator holds it, this one is sent"},
		{Reason: ReasonHoldExpired, Says: "it was held for as long as a hold lasts", Side: SideOperator, Advice: again + ", once nothing holds it"},
		{Reason: ReasonExpired, Says: "deliver_within of {subscription} passed before it was delivered", Side: SideReceiver, Advice: again + ": then it has no deadline"},
		{Reason: ReasonRejectedByReceiver, Says: "{host} answered that it does not want this message", Side: SideReceiver, Advice: again},
		{Reason: ReasonSubscriptionDeleted, Says: "{subscription} was deleted", Side: SideSettings, Advice: "Create the subscription again; the event can be sent to it"},
		{Reason: ReasonSuperseded, Says: "a later event of the same type and key has taken its place", Side: SideNobody, Advice: again},
		{Reason: ReasonErased, Says: "its data were erased", Side: SideNobody, Advice: "Post the event again, under another id"},
		{Reason: ReasonTerminated, Says: "its workflow was terminated in Temporal", Side: SideOperator, Advice: again},
		{Reason: ReasonWaitingForTemporal, Says: "its workflow has not started, because Temporal is away or no worker runs", Side: SideSwitchboard, Advice: "Check /readyz and the workers: the delivery is sent once both work again"},
		{Reason: ReasonWaitingForSwitchboard, Says: "it waits for Switchboard{ours}", Side: SideSwitchboard, Advice: "Check the workers' log: the delivery is sent once the cause is gone"},
	}
}

// explainFailure finds the line for an outcome of a delivery in that state.
func explainFailure(o Outcome, state State, cut bool) Explanation {
	for _, e := range FailureExplanations() {
		if e.Failure == o.Failure && (e.Status == 0 || e.Status == o.StatusCode) && (e.State == "" || e.State == state) && (!e.Permanent || o.Permanent) && (!e.Cut || cut) {
			return e
		}
	}
	return Explanation{Says: "the attempt failed", Side: SideSwitchboard, Advice: "Read the detail of the attempt"}
}

// explainReason finds the line for a reason; false: it is a failure.
func explainReason(reason string, state State) (Explanation, bool) {
	word, _, _ := strings.Cut(reason, ":")
	for _, e := range ReasonExplanations() {
		if e.Reason == word && (e.State == "" || e.State == state) {
			return e, true
		}
	}
	return Explanation{}, false
}
