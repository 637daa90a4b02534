package faults

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// pieceSize is the number of bytes that a proxy reads at a time.
const pieceSize = 32 << 10

// piecesUnderWay is the maximum number of pieces in transit in each direction of a delayed
// connection.
const piecesUnderWay = 256

// proxy is between two parts of the stack and forwards what they send, until it is told to
// misbehave.
type proxy struct {
	listener net.Listener

	mu       sync.Mutex
	network  string // of the target: tcp or unix
	target   string
	refusing bool
	open     chan struct{} // closed while bytes are forwarded
	delay    time.Duration // of each direction
	conns    map[net.Conn]struct{}
}

func startProxy() (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: listener, open: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	close(p.open)
	go p.accept()
	return p, nil
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// leadTo sets the target of new connections.
func (p *proxy) leadTo(network, target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.network, p.target = network, target
}

// cut resets every connection, and each new one, as if nobody listened.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = true
	// All are first told how to end: when one ends, the other one of its pair is closed.
	for conn := range p.conns {
		lingerNot(conn)
	}
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// hang forwards nothing, silently, like lost packets.
func (p *proxy) hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

// slow delays what each side sends.
func (p *proxy) slow(delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = delay
}

// restore ends what cut, hang and slow began. Delayed bytes are forwarded.
func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing, p.delay = false, 0
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

func (p *proxy) close() error {
	err := p.listener.Close()
	p.restore() // so that nobody waits any more
	p.cut()
	return err
}

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.serve(conn)
	}
}

// serve connects a connection with one to the target until one of them ends.
func (p *proxy) serve(from net.Conn) {
	if !p.keep(from) {
		reset(from)
		return
	}
	defer p.forget(from)
	p.mu.Lock()
	network, target := p.network, p.target
	p.mu.Unlock()
	to, err := net.Dial(network, target)
	if err != nil {
		reset(from)
		return
	}
	if !p.keep(to) {
		reset(to)
		return
	}
	defer p.forget(to)
	ended := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{from, to}, {to, from}} {
		go func() {
			p.forward(pair[0], pair[1])
			ended <- struct{}{}
		}()
	}
	<-ended
}

// keep records a connection, unless none is wanted.
func (p *proxy) keep(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusing {
		return false
	}
	p.conns[conn] = struct{}{}
	return true
}

func (p *proxy) forget(conn net.Conn) {
	_ = conn.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
}

// piece is a part of what was sent, and when it is due.
type piece struct {
	due  time.Time
	data []byte
}

// forward forwards what one side sends until it has sent everything, or cannot.
func (p *proxy) forward(from io.Reader, to io.Writer) {
	pieces, stopped := make(chan piece, piecesUnderWay), make(chan struct{})
	defer close(stopped)
	go func() {
		defer close(pieces)
		buffer := make([]byte, pieceSize)
		for {
			n, err := from.Read(buffer)
			if n > 0 {
				select {
				case pieces <- piece{time.Now().Add(p.delayNow()), bytes.Clone(buffer[:n])}:
				case <-stopped:
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	for one := range pieces {
		time.Sleep(time.Until(one.due))
		p.untilOpen()
		if _, err := to.Write(one.data); err != nil {
			return
		}
	}
	p.untilOpen() // the end must not be forwarded before the bytes
}

func (p *proxy) delayNow() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delay
}

func (p *proxy) untilOpen() {
	p.mu.Lock()
	open := p.open
	p.mu.Unlock()
	<-open
}

// reset closes a connection like a peer that does not know it.
func reset(conn net.Conn) {
	lingerNot(conn)
	_ = conn.Close()
}

// lingerNot makes closing the connection reset it.
func lingerNot(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}
