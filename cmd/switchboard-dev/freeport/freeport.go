// Package freeport finds free ports of loopback for programs that are started next.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are looked for below the range from which systems take the ports of outgoing
// connections: none of those can grab a port between our look and the program's bind.
const (
	firstPort = 20000
	lastPort  = 32000
	blockSize = 100
)

// finder gives out ports of blocks that are its own: it listens on the first port of each for as
// long as the process runs. No other process gives out a port of them, as between our look and the
// bind, or while the program is away for a while that is to come back there.
type finder struct {
	mu   sync.Mutex
	held []net.Listener
	next int // the port to look at
	end  int // of its block
}

var shared finder

// Listen listens on a free port of the host.
func Listen(host string) (net.Listener, error) { return shared.listen(host) }

// Address is an address of loopback on which nobody listens. The process is given none twice.
func Address() (string, error) { return shared.address() }

func (f *finder) address() (string, error) {
	listener, err := f.listen("127.0.0.1")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

func (f *finder) listen(host string) (net.Listener, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		for f.next < f.end {
			listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(f.next)))
			f.next++
			if err == nil {
				return listener, nil
			}
		}
		if err := f.takeBlock(); err != nil {
			return nil, err
		}
	}
}

// takeBlock takes a block that no process has.
func (f *finder) takeBlock() error {
	for _, block := range rand.Perm((lastPort - firstPort) / blockSize) {
		port := firstPort + block*blockSize
		if listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			f.held, f.next, f.end = append(f.held, listener), port+1, port+blockSize
			return nil
		}
	}
	return errors.New("there is no free port from " + strconv.Itoa(firstPort) + " to " + strconv.Itoa(lastPort))
}
