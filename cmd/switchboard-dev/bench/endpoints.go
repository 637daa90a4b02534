package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// behaviour is what a bad endpoint does.
type behaviour string

// What bad endpoints do.
const (
	hangs       behaviour = "hang"             // it accepts the request and never answers
	answersLate behaviour = "answer after 3 s" // with 200
	refuses     behaviour = "refuse"           // it does not accept the connection
	answers     behaviour = "answer at once"   // with 200: a good endpoint, for comparison
	lateAnswer            = 3 * time.Second    // of endpoints that answer late
)

// badEndpoints are endpoints with one behaviour, each with its own host and port.
type badEndpoints struct {
	urls []string
	stop context.CancelFunc
	ends []func() error
}

// startEndpoints starts that many endpoints. On Linux, loopback has all of 127.0.0.0/8.
func startEndpoints(b behaviour, count int) (_ *badEndpoints, err error) {
	ctx, stop := context.WithCancel(context.Background())
	e := &badEndpoints{stop: stop}
	for i := range count {
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.%d.%d:0", 1+i/250, 1+i%250))
		if err != nil {
			return nil, errors.Join(err, e.close())
		}
		e.urls = append(e.urls, fmt.Sprintf("http://%s/", listener.Addr()))
		switch b {
		case refuses:
			err = listener.Close() // nobody else uses that address
		case hangs:
			e.ends = append(e.ends, listener.Close)
			go hang(ctx, listener)
		case answersLate:
			e.serve(listener, func(_ http.ResponseWriter, request *http.Request) {
				_ = pause(request.Context(), lateAnswer) // a sender that gave up reads no answer
			})
		case answers:
			e.serve(listener, func(http.ResponseWriter, *http.Request) {})
		}
		if err != nil {
			return nil, errors.Join(err, e.close())
		}
	}
	return e, nil
}

func (e *badEndpoints) serve(listener net.Listener, handler http.HandlerFunc) {
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: handler}
	e.ends = append(e.ends, server.Close)
	go func() { _ = server.Serve(listener) }() // returns only after Close
}

// hang accepts connections, reads what is sent, and answers nothing until the other side or ctx
// ends them.
func hang(ctx context.Context, listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			defer func() { _ = conn.Close() }()
			var buffer [1024]byte
			for err := error(nil); err == nil; {
				_, err = conn.Read(buffer[:])
			}
		}()
	}
}

func (e *badEndpoints) close() error {
	e.stop()
	var errs []error
	for _, end := range e.ends {
		errs = append(errs, end())
	}
	return errors.Join(errs...)
}
