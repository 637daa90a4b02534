package switchboard

import (
	"net/http"
	"strconv"
	"time"
)

// Failure is why an attempt failed, from a closed list; empty: it succeeded.
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
	FailureBadResponse    Failure = "bad_response"    // the answer is not HTTP
	FailureRedirect       Failure = "redirect"        // 3xx; redirects are not followed
	FailureHTTP4xx        Failure = "http_4xx"
	FailureHTTP5xx        Failure = "http_5xx"
	FailureForbidden      Failure = "forbidden_address" // the egress guard refused the address
	FailureRender         Failure = "render"            // the request could not be made
	FailureAuth           Failure = "auth"              // the token endpoint gave no token
	FailureAborted        Failure = "aborted"           // an operator cancelled it during the request
	FailureUnknown        Failure = "unknown"           // perhaps sent; the outcome is not known
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

// FailureOfStatus returns the failure of a status code. Only 2xx is a success; a redirect is a
// failure.
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

// EndpointVerdict is what an attempt shows about its endpoint.
type EndpointVerdict string

// The verdicts.
const (
	EndpointWorks   EndpointVerdict = "works"   // it answered, if only to refuse this request
	EndpointFails   EndpointVerdict = "fails"   // the endpoint is at fault, whatever is sent there
	EndpointUnknown EndpointVerdict = "unknown" // the attempt did not reach it, or its answer is not known
)

// Endpoint is what the outcome shows about the endpoint. A status from 400 to 499 refuses one
// payload, which counts as an answer, except 429, which is about all requests.
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

// Outcome is the result of an attempt. It is a value and never an error, because a receiver's
// failure is not ours.
type Outcome struct {
	StatusCode int // 0: no answer
	Failure    Failure
	Detail     string        // the failure in words; contains no secrets
	Latency    time.Duration // from the start of the attempt to the end of the answer
	RetryAfter time.Duration // how long the receiver asked us to wait; 0: it did not ask
	Wish       ReceiverWish  // what the receiver asked for in a header; empty: nothing
	Permanent  bool          // no later attempt can succeed, whatever anybody repairs
	Requests   int           // how often the request was sent, at least in part
	RemoteIP   string        // the address that was dialled last; empty: none, or an egress proxy's
	Response   Response
}

// Response is the head of the receiver's answer.
type Response struct {
	Headers   map[string]string // sensitive values masked
	Body      []byte            // at most 16 KiB
	Truncated bool              // the body was longer
}

// Reason is the outcome in one word, as a delivery shows it: "http_503" for an answer, otherwise
// the failure; empty: success.
func (o Outcome) Reason() string {
	switch o.Failure {
	case FailureHTTP4xx, FailureHTTP5xx:
		return "http_" + strconv.Itoa(o.StatusCode)
	}
	return string(o.Failure)
}

// IsPermanent reports whether no later attempt can succeed: the outcome says so, or the receiver
// answered 410 Gone, "likely to be permanent" (RFC 9110, 15.5.11), after which Standard Webhooks
// asks a sender to stop. Every other failure may pass or be repaired, because each attempt reads
// the subscription again.
func (o Outcome) IsPermanent() bool { return o.Permanent || o.StatusCode == http.StatusGone }

// Attempt is one HTTP request of a delivery.
type Attempt struct {
	ID             string
	DeliveryID     string
	Number         int           // from 1, over all generations
	At             time.Time     // when it began
	Timeout        time.Duration // the limit that was applied
	Load           float64       // share of the worker's slots that were taken when it began, 0 to 1
	MaxAttempts    int           // how many attempts the policy allowed under that load, after the prior ones
	IntervalFactor float64       // the factor of the next wait under that load
	Request        SentRequest
	Outcome        Outcome
	// SubscriptionVersion is the version of the subscription from which the request was made; 0:
	// unknown.
	SubscriptionVersion int
}

// SentRequest is what was sent, with secrets masked.
type SentRequest struct {
	Method  string
	URL     string            // query values masked
	Headers map[string]string // sensitive values masked
	Bytes   int               // length of the body
	SHA256  []byte            // of the body; empty: unknown, or erased
}
