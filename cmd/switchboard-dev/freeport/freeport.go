// Package freeport finds free ports on loopback for programs that are about to start.
package freeport

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports are below the range that systems use for outgoing connections. So no outgoing connection
// can take a port between our check and the program's bind.
const (
	firstPort = 20000
	lastPort  = 32000
	blockSize = 100
)

// finder gives out ports of blocks that it owns: it listens on the first port of each as long as
// the process runs. No other process gives out a port of them, neither between our check and the
// bind, nor while a program is away that will return to its port.
type finder struct {
	mu   sync.Mutex
	held []net.Listener
	next int // the next port to check
	end  int // of its block
}

var shared finder

// Listen listens on a free port of the host.
func Listen(host string) (net.Listener, error) { return shared.listen(host) }

// Address returns a loopback address on which nobody listens. The process never gets the same one
// twice.
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

// takeBlock takes a block that no process owns.
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
