package switchboard

import (
	"net/http"
	"strconv"
	"time"
)

// Failure says what went wrong in an attempt, out of a closed list; empty means
// that nothing did.
type Failure string

// The closed list of failures.
const (
	FailureDNS            Failure = "dns"             // the host's name did not resolve
	FailureConnectRefused Failure = "connect_refused" // nobody listens there
	FailureConnectTimeout Failure = "connect_timeout" // no connection in time
	FailureConnect        Failure = "connect_failed"  // unreachable for another reason
	FailureTLSExpired     Failure = "tls_expired"     // the certificate is expired or not yet valid
	FailureTLSUntrusted   Failure = "tls_untrusted"   // the certificate's issuer is not trusted
	FailureTLSName        Failure = "tls_name"        // the certificate is for another name
	FailureTLS            Failure = "tls_failed"      // the handshake failed for another reason
	FailureTimeout        Failure = "timeout"         // connected, but no complete answer in time
	FailureReset          Failure = "reset"           // the receiver closed the connection
	FailureBadResponse    Failure = "bad_response"    // what came back is not HTTP
	FailureRedirect       Failure = "redirect"        // 3xx; redirects are not followed
	FailureHTTP4xx        Failure = "http_4xx"
	FailureHTTP5xx        Failure = "http_5xx"
	FailureForbidden      Failure = "forbidden_address" // the egress guard refused the address
	FailureRender         Failure = "render"            // the request could not be made
	FailureAuth           Failure = "auth"              // the token endpoint gave no token
	FailureAborted        Failure = "aborted"           // cancelled by an operator while under way
	FailureUnknown        Failure = "unknown"           // sent, and the outcome is not known
)

// Failures lists every failure.
func Failures() []Failure {
	return []Failure{
		FailureDNS, FailureConnectRefused, FailureConnectTimeout, FailureConnect,
		FailureTLSExpired, FailureTLSUntrusted, FailureTLSName, FailureTLS,
		FailureTimeout, FailureReset, FailureBadResponse, FailureRedirect, FailureHTTP4xx, FailureHTTP5xx,
		FailureForbidden, FailureRender, FailureAuth, FailureAborted, FailureUnknown,
	}
}

// FailureOfStatus returns the failure that a status code stands for: only 2xx is
// success, and a redirect is a failure.
func FailureOfStatus(status int) Failure {
	switch {
	case status >= 200 && status < 300:
		return ""
	case status >= 300 && status < 400:
		return FailureRedirect
	case status >= 400 && status < 500:
		return FailureHTTP4xx
	case status >= 500 && status < 600:
		return FailureHTTP5xx
	}
	return FailureBadResponse
}

// EndpointVerdict is what an attempt shows of its endpoint.
type EndpointVerdict string

// The verdicts.
const (
	EndpointWorks   EndpointVerdict = "works"   // it answered, if only to refuse this one request
	EndpointFails   EndpointVerdict = "fails"   // the failure is the endpoint's fault, whatever is sent there
	EndpointUnknown EndpointVerdict = "unknown" // the attempt did not reach it, or nobody knows what it answered
)

// Endpoint is what the outcome shows of the endpoint. A status from 400 to 499 refuses one
// payload, and is an answer; 429 is the one that is about all requests.
func (o Outcome) Endpoint() EndpointVerdict {
	switch o.Failure {
	case FailureDNS, FailureConnectRefused, FailureConnectTimeout, FailureConnect,
		FailureTLSExpired, FailureTLSUntrusted, FailureTLSName, FailureTLS,
		FailureTimeout, FailureReset, FailureBadResponse, FailureHTTP5xx:
		return EndpointFails
	case FailureHTTP4xx:
		if o.StatusCode == http.StatusTooManyRequests {
			return EndpointFails
		}
		return EndpointWorks
	case "", FailureRedirect:
		return EndpointWorks
	}
	return EndpointUnknown // our guard, our templates, the token endpoint, an operator, or a crash of ours
}

// Outcome is what an attempt saw. It is a value, never an error: the receiver's
// failure is not ours.
type Outcome struct {
	StatusCode int // 0: no answer
	Failure    Failure
	Detail     string        // the failure in words, for people; holds no secrets
	Latency    time.Duration // from the start of the attempt to the end of the answer
	RetryAfter time.Duration // how long the receiver asked us to wait; 0: it did not
	Wish       ReceiverWish  // what the receiver asked for in its answer's header; empty: nothing
	Permanent  bool          // no later attempt can succeed, whatever anybody repairs
	Requests   int           // how often the request was sent, at least in part; 0: nothing was
	RemoteIP   string        // the address that was dialled last; empty: none was, or the egress proxy was
	Response   Response
}

// Response is the head of the receiver's answer.
type Response struct {
	Headers   map[string]string // sensitive values masked
	Body      []byte            // at most 16 KiB
	Truncated bool              // the body was longer
}

// Reason is the outcome in one word, as a delivery shows it: "http_503" for an
// answer, else the failure; empty for success.
func (o Outcome) Reason() string {
	switch o.Failure {
	case FailureHTTP4xx, FailureHTTP5xx:
		return "http_" + strconv.Itoa(o.StatusCode)
	}
	return string(o.Failure)
}

// IsPermanent reports whether no later attempt can succeed: the outcome says so itself,
// or the receiver has said 410 Gone, "likely to be permanent" (RFC 9110, 15.5.11), after
// which Standard Webhooks asks a sender to stop. Everything else may pass, by itself or
// because somebody repairs it: each attempt reads the subscription again.
func (o Outcome) IsPermanent() bool { return o.Permanent || o.StatusCode == http.StatusGone }

// Attempt is one HTTP request of a delivery.
type Attempt struct {
	ID             string
	DeliveryID     string
	Number         int           // from 1, over the whole life of the delivery
	At             time.Time     // when it began
	Timeout        time.Duration // the limit that was applied
	Load           float64       // share of the worker's places that were taken when it began, 0 to 1
	MaxAttempts    int           // how many may be made after the prior ones, as applied under that load
	IntervalFactor float64       // the factor of the wait before the next one, as applied under that load
	Request        SentRequest
	Outcome        Outcome
	// SubscriptionVersion is that of the subscription that the request was made from; 0: it is not known.
	SubscriptionVersion int
}

// SentRequest is what was sent, as far as it may be shown.
type SentRequest struct {
	Method  string
	URL     string            // its query's values masked
	Headers map[string]string // sensitive values masked
	Bytes   int               // length of the body
	SHA256  []byte            // of the body; empty: it is not known, or erased
}
