package webhook

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// failed makes the outcome of an attempt without a response. The detail is for people and only has
// words of ours: errors of net/http may quote the URL's query or what the receiver sent.
func failed(failure switchboard.Failure, detail string, args ...any) switchboard.Outcome {
	return switchboard.Outcome{Failure: failure, Detail: fmt.Sprintf(detail, args...)}
}

// classify returns the outcome of an attempt that failed in that phase. It uses the error's type,
// and the phase where net/http has no type.
func (s *Sender) classify(err error, reached phase) switchboard.Outcome {
	if forbidden, ok := errors.AsType[*forbiddenError](err); ok {
		outcome := failed(switchboard.FailureForbidden, "%s", forbidden.Error())
		outcome.Permanent = forbidden.fixed
		return outcome
	}
	if refusal, ok := errors.AsType[*proxyRefusal](err); ok {
		return refusal.outcome()
	}
	if outcome, ok := classifyCertificate(err); ok {
		return outcome
	}
	if lookup, ok := errors.AsType[*lookupError](err); ok {
		return failed(switchboard.FailureDNS, "%s", lookup.Error())
	}
	if s.guard.proxy != nil && reached == connecting {
		return failed(switchboard.FailureConnect, "the egress proxy made no connection to the host")
	}
	if outcome, ok := s.classifyNetwork(err, reached); ok {
		return outcome
	}
	switch reached {
	case resolving, connecting:
		return failed(switchboard.FailureConnect, "no connection could be made")
	case handshaking:
		return failed(switchboard.FailureTLS, "the TLS handshake failed")
	case connected:
		return brokenOff(err)
	}
	if outcome, ok := brokenHTTP2(err); ok {
		return outcome
	}
	return failed(switchboard.FailureBadResponse, "what came back is not a complete and valid HTTP response, or its header is too long")
}

// brokenOff says who ended a request after it was sent, and why, as far as that is known. net/http
// has no exported error for an idle connection that the receiver closed.
func brokenOff(err error) switchboard.Outcome {
	if outcome, ok := brokenHTTP2(err); ok {
		return outcome
	}
	return failed(switchboard.FailureReset, "the receiver closed the connection before it answered")
}

// brokenHTTP2 classifies the errors of net/http for HTTP/2.
func brokenHTTP2(err error) (switchboard.Outcome, bool) {
	text := err.Error()
	code := http2Code(text)
	switch {
	case errors.Is(err, errTooManyDials):
		return failed(switchboard.FailureReset, "the receiver closed %d HTTP/2 connections before the request could be sent", maxDials), true
	case errors.Is(err, errSentBefore):
		return failed(switchboard.FailureReset, "the receiver turned the HTTP/2 request down without processing it"), true
	case strings.HasPrefix(text, headerTooLong):
		return failed(switchboard.FailureBadResponse, "the header of the receiver's HTTP/2 answer is too long"), true
	case strings.HasPrefix(text, connectionLost):
		return failed(switchboard.FailureReset, "the HTTP/2 connection was lost: nothing came back for %s", pingAfter+pingTime), true
	case code == codeHTTP1Required:
		return failed(switchboard.FailureReset, "the receiver demands HTTP/1.1: it answered HTTP/2 with %s", code), true
	case strings.Contains(text, "GOAWAY"):
		return failed(switchboard.FailureReset, "the receiver ended the HTTP/2 connection by GOAWAY: %s", cmp.Or(code, "NO_ERROR")), true
	case code == "":
		return switchboard.Outcome{}, false
	case strings.Contains(text, fromPeer):
		return failed(switchboard.FailureReset, "the receiver reset the HTTP/2 stream: %s", code), true
	}
	return failed(switchboard.FailureBadResponse, "the receiver's HTTP/2 answer is not valid: %s", code), true
}

// withStatus corrects the outcome if the response's status has come and net/http refuses the rest
// of the response. As in [outcomeOf], the status alone decides: a receiver that answers 200 has
// accepted the delivery. An incomplete header is different: RFC 9112 8 forbids the use of its
// status.
func (t *try) withStatus(o switchboard.Outcome) switchboard.Outcome {
	if t.response == nil || o.Failure != switchboard.FailureBadResponse && o.Failure != switchboard.FailureReset {
		return o
	}
	status, over := t.response.status()
	switch {
	case status == 0:
		return o
	case over:
		return failed(switchboard.FailureReset, "the receiver closed the connection before its answer was complete, which began with the status %d", status)
	}
	return invalidResponse(status)
}

// classifyCertificate classifies the errors of certificates and TLS.
func classifyCertificate(err error) (switchboard.Outcome, bool) {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		switch {
		case invalid.Reason != x509.Expired:
			return failed(switchboard.FailureTLS, "the certificate may not be used for this"), true
		case time.Now().Before(invalid.Cert.NotBefore):
			return failed(switchboard.FailureTLSExpired, "the certificate is not valid yet: it is from %s on", invalid.Cert.NotBefore.UTC().Format(time.RFC3339)), true
		}
		return failed(switchboard.FailureTLSExpired, "the certificate expired at %s", invalid.Cert.NotAfter.UTC().Format(time.RFC3339)), true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return failed(switchboard.FailureTLSUntrusted,
			"the certificate's issuer is not trusted; often an intermediate certificate is missing"), true
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return failed(switchboard.FailureTLSName, "%s", nameMismatch(name)), true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return failed(switchboard.FailureTLS, "the port does not speak TLS"), true
	}
	return classifyAlert(err)
}

// nameMismatch says why a certificate is not for the host. The URL shows the host itself.
func nameMismatch(e x509.HostnameError) string {
	_, notIP := netip.ParseAddr(e.Host)
	switch {
	case len(e.Certificate.DNSNames) == 0 && len(e.Certificate.IPAddresses) == 0:
		return "the certificate has no subject alternative name for a host; its common name does not count (RFC 9525 2)"
	case notIP == nil && len(e.Certificate.IPAddresses) == 0:
		return "the certificate is for host names, and the url has an IP address"
	case notIP != nil && len(e.Certificate.DNSNames) == 0:
		return "the certificate is for IP addresses, and the url has a host name"
	}
	return "the certificate is for another host name"
}

// crypto/tls does not export the type of an alert. It says who sent it in these words.
const (
	ourAlert   = "local error"
	theirAlert = "remote error"
)

// classifyAlert classifies TLS alerts, in which one side tells the other why it ends the
// connection. The text comes from crypto/tls.
func classifyAlert(err error) (switchboard.Outcome, bool) {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != ourAlert && op.Op != theirAlert {
		return switchboard.Outcome{}, false
	}
	text := strings.TrimPrefix(op.Err.Error(), "tls: ")
	switch {
	case isRenegotiation(err):
		return failed(switchboard.FailureTLS, "the receiver asked to negotiate TLS again, as servers do that want a client certificate for some paths only: "+
			"that is done once in a connection, over HTTP/1.1, and with auth of the type %s only", switchboard.AuthMTLS), true
	case op.Op == ourAlert:
		return failed(switchboard.FailureTLS, "what the receiver sent is refused in TLS: %s", text), true
	}
	return failed(switchboard.FailureTLS, "the receiver refused the TLS handshake: %s", text), true
}

// isRenegotiation reports whether the other side asked for renegotiation, and our side
// refused.
func isRenegotiation(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == ourAlert && op.Err.Error() == "tls: no renegotiation"
}

// classifyNetwork classifies the errors of the operating system.
func (s *Sender) classifyNetwork(err error, reached phase) (switchboard.Outcome, bool) {
	timedOut, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(switchboard.FailureConnectRefused, "nobody listens at that address and port"), true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return failed(switchboard.FailureConnect, "there is no route to the host"), true
	case reached >= connected && isUnread(err):
		return failed(switchboard.FailureReset, "the HTTP/2 connection was lost: nothing more could be written to it"), true
	case errors.Is(err, os.ErrDeadlineExceeded), isNet && timedOut.Timeout():
		return s.timedOut(reached, s.limit(reached)), true
	case isClosed(err):
		if reached == handshaking {
			return failed(switchboard.FailureReset, "the receiver closed the connection during the TLS handshake"), true
		}
		return failed(switchboard.FailureReset, "the receiver closed the connection before its answer was complete"), true
	}
	return switchboard.Outcome{}, false
}

// limit returns the time limit of a phase.
func (s *Sender) limit(reached phase) time.Duration {
	if reached == handshaking {
		return s.handshakeTimeout
	}
	return s.connectTimeout
}

// timedOut is the outcome of an attempt that reached the time limit of that phase.
func (s *Sender) timedOut(reached phase, limit time.Duration) switchboard.Outcome {
	switch reached {
	case resolving:
		return failed(switchboard.FailureDNS, "the host's name was not resolved within %s", limit)
	case connecting:
		if s.guard.proxy != nil {
			return failed(switchboard.FailureConnectTimeout, "the egress proxy made no connection to the host within %s", limit)
		}
		return failed(switchboard.FailureConnectTimeout, "no connection within %s", limit)
	case handshaking:
		return failed(switchboard.FailureTLS, "the TLS handshake was not done within %s", limit)
	case connected:
		return failed(switchboard.FailureTimeout, "no answer within %s", limit)
	}
	return failed(switchboard.FailureTimeout, "no complete answer within %s", limit)
}

// ours reports whether the error is our own: this machine lacks resources, or the egress proxy
// cannot be used. Such an error says nothing about the receiver and must not use up an attempt.
// EADDRNOTAVAIL does not belong to them: a machine without IPv6 also returns it for a host that
// only has IPv6 addresses, and waiting does not help.
func ours(err error) bool {
	if _, ok := errors.AsType[*proxyError](err); ok {
		return true
	}
	return slices.ContainsFunc(shortages(), func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// shortages are the errors that say that a machine lacks resources.
func shortages() []syscall.Errno {
	return []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}
}
