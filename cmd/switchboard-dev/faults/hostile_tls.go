package faults

import (
	"crypto/tls"
	"io"
	"net"
)

// tlsWays are the ways in which a receiver misbehaves in the handshake of TLS.
func tlsWays(c *certificates) []misbehaviour {
	return []misbehaviour{
		shake(&tls.Config{Certificates: []tls.Certificate{c.expired}}),
		shake(&tls.Config{Certificates: []tls.Certificate{c.otherName}}),
		shake(&tls.Config{Certificates: []tls.Certificate{c.untrusted}}),
		shake(&tls.Config{Certificates: []tls.Certificate{c.good}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}),
		shake(&tls.Config{Certificates: []tls.Certificate{c.good}, ClientAuth: tls.RequireAnyClientCert}),
		func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\nThis port speaks plain HTTP\r\n")
			untilLeft(conn)
		},
		afterHello(reset),
		afterHello(func(net.Conn) {}),
		untilLeft,
	}
}

// shake makes a handshake that is expected to fail.
func shake(config *tls.Config) misbehaviour {
	return func(conn net.Conn) {
		server := tls.Server(conn, config)
		if server.Handshake() == nil {
			untilLeft(server)
		}
	}
}

// afterHello reads the beginning of a handshake before it misbehaves.
func afterHello(then misbehaviour) misbehaviour {
	return func(conn net.Conn) {
		var beginning [1]byte
		if _, err := conn.Read(beginning[:]); err == nil {
			then(conn)
		}
	}
}
