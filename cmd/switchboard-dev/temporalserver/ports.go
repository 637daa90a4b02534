package temporalserver

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"

	"go.temporal.io/server/common/primitives"
)

// Free ports are looked for below the range from which systems take the ports of
// outgoing connections: none of those can grab a port between our look and the
// server's bind.
const (
	firstPort = 20000
	lastPort  = 32000
)

// portTries bounds the search; one try in a thousand hits a taken port.
const portTries = 1000

// portsTried counts from anywhere. A process looks at one port after the other, so that it is not
// given one again whose program is away for a while, and is to come back there.
var portsTried = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(lastPort - firstPort))
	return &n
}()

// services are the parts of a server, each with a port of its own.
func services() []primitives.ServiceName {
	return []primitives.ServiceName{
		primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
	}
}

// choosePorts finds a free port for each service and checks the one that was asked
// for the frontend. All are held until all are found, so that they differ.
func choosePorts(host string, frontend int) (map[primitives.ServiceName]int, error) {
	ports := make(map[primitives.ServiceName]int)
	for _, service := range services() {
		port := 0
		if service == primitives.FrontendService {
			port = frontend
		}
		listener, err := listen(host, port, "--temporal-addr")
		if err != nil {
			return nil, err
		}
		defer func() { _ = listener.Close() }()
		ports[service] = portOf(listener)
	}
	return ports, nil
}

// listen binds a port, or any free one for 0. The flag is the one that sets the
// port, for whoever finds it taken.
func listen(host string, port int, flag string) (net.Listener, error) {
	if port != 0 {
		listener, err := net.Listen("tcp", hostPort(host, port))
		if err != nil {
			return nil, fmt.Errorf("port %d of %s is not free, choose another with %s: %w", port, host, flag, err)
		}
		return listener, nil
	}
	var last error
	for range portTries {
		listener, err := net.Listen("tcp", hostPort(host, firstPort+int(portsTried.Add(1)%(lastPort-firstPort))))
		if err == nil {
			return listener, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no free port on %s: %w", host, last)
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

// FreeAddress is an address of loopback on which nobody listens, for a program that is
// started next.
func FreeAddress() (string, error) {
	listener, err := listen("127.0.0.1", 0, "")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}
