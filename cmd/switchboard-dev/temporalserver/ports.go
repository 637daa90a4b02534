package temporalserver

import (
	"fmt"
	"net"

	"go.temporal.io/server/common/primitives"

	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/freeport"
)

// services are the parts of a server. Each has its own port.
func services() []primitives.ServiceName {
	return []primitives.ServiceName{
		primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
	}
}

// choosePorts finds a free port for each service and checks the requested port of the frontend. It
// holds all ports until all are found, so that they differ.
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

// listen binds a port, or any free one for 0. The error names the flag that sets the port.
func listen(host string, port int, flag string) (net.Listener, error) {
	if port == 0 {
		return freeport.Listen(host)
	}
	listener, err := net.Listen("tcp", hostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("port %d of %s is not free, choose another with %s: %w", port, host, flag, err)
	}
	return listener, nil
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }
