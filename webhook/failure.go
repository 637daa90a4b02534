package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"switchboard"
)

// failed makes the outcome of an attempt that got no answer. Its detail is for
// people and made of our own words only: errors of net/http may quote the URL's
// query or what the receiver sent.
func failed(failure switchboard.Failure, detail string, args ...any) switchboard.Outcome {
	return switchboard.Outcome{Failure: failure, Detail: fmt.Sprintf(detail, args...)}
}

// classify says what an error of net/http means for an attempt that has come so far.
// It goes by types; the phase decides where net/http has no type to go by.
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
		// net/http has no exported error for a kept connection that the receiver
		// closes, nor for a stream of HTTP/2 that it resets; nor for an answer in
		// HTTP/2 that is refused unread, which is rare enough to share the word.
		return failed(switchboard.FailureReset, "the receiver broke off before it answered, or its HTTP/2 answer was not valid")
	}
	return failed(switchboard.FailureBadResponse, "what came back is not a complete and valid HTTP response, or its header is too long")
}

// classifyCertificate knows the ways in which a certificate does not do.
func classifyCertificate(err error) (switchboard.Outcome, bool) {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return failed(switchboard.FailureTLSExpired, "the certificate is expired or not yet valid"), true
		}
		return failed(switchboard.FailureTLS, "the certificate may not be used for this"), true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return failed(switchboard.FailureTLSUntrusted,
			"the certificate's issuer is not trusted; often an intermediate certificate is missing"), true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return failed(switchboard.FailureTLSName, "the certificate is for another host name"), true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return failed(switchboard.FailureTLS, "the port does not speak TLS"), true
	}
	// crypto/tls keeps the type of an alert to itself and marks it by this word.
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return failed(switchboard.FailureTLS, "the receiver refused the TLS handshake"), true
	}
	return switchboard.Outcome{}, false
}

// classifyNetwork knows what the operating system reports.
func (s *Sender) classifyNetwork(err error, reached phase) (switchboard.Outcome, bool) {
	timedOut, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(switchboard.FailureConnectRefused, "nobody listens at that address and port"), true
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return failed(switchboard.FailureConnect, "there is no route to the host"), true
	case errors.Is(err, os.ErrDeadlineExceeded), isNet && timedOut.Timeout():
		return s.late(reached, s.limit(reached)), true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		if reached == handshaking {
			return failed(switchboard.FailureReset, "the receiver closed the connection during the TLS handshake"), true
		}
		return failed(switchboard.FailureReset, "the receiver closed the connection before its answer was complete"), true
	}
	return switchboard.Outcome{}, false
}

// limit is the bound of its own that a phase has.
func (s *Sender) limit(reached phase) time.Duration {
	if reached == handshaking {
		return s.handshakeTimeout
	}
	return s.connectTimeout
}

// late is the outcome of an attempt whose time, so long, was up in that phase.
func (s *Sender) late(reached phase, limit time.Duration) switchboard.Outcome {
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

// ours reports whether the error is a shortage of this machine's, or our proxy being
// away: it says nothing about the receiver, and must not cost the delivery an attempt. EADDRNOTAVAIL is not
// among them: it is also how a machine without IPv6 answers for a host that has
// nothing else, and waiting does not mend that.
func ours(err error) bool {
	if _, ok := errors.AsType[*proxyError](err); ok {
		return true
	}
	return slices.ContainsFunc(shortages(), func(e syscall.Errno) bool { return errors.Is(err, e) })
}

func shortages() []syscall.Errno {
	return []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}
}
