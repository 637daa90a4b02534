package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"time"
)

// restartPause is the time between the end of a process and its next start: RestartSec of the
// systemd units in deploy/.
const restartPause = time.Second

// startLimit bounds one start of a process. One that hangs is killed, and started again.
const startLimit = 3 * time.Minute

// running is a process.
type running interface {
	PID() int
	Done() <-chan struct{}
	Stop() error
}

// service is a process that is started again whenever it ends, until it is taken down.
type service struct {
	name  string
	start func(context.Context) (running, error)
	log   func(format string, args ...any)

	ctx   context.Context // of the supervision
	mu    sync.Mutex
	now   running       // nil: it is down, or waits for its next start
	down  chan struct{} // closed when the supervision that runs is to end
	ended int           // how often it ended and nobody had asked for it
}

// newService starts a service, which is supervised until ctx ends or it is taken down.
func newService(ctx context.Context, name string, start func(context.Context) (running, error), log func(string, ...any)) (*service, error) {
	s := &service{name: name, start: start, log: log, ctx: ctx}
	return s, s.bringUp()
}

// bringUp starts the service that is down. An error of this first start is the caller's.
func (s *service) bringUp() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.startNow(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	s.down = make(chan struct{})
	go s.supervise(s.down)
	return nil
}

func (s *service) startNow() (err error) {
	ctx, cancel := context.WithTimeout(s.ctx, startLimit)
	defer cancel()
	started, err := s.start(ctx)
	if err == nil {
		s.now = started
	}
	return err
}

// supervise starts the service again whenever it has ended, until it is taken down.
func (s *service) supervise(down <-chan struct{}) {
	for {
		s.mu.Lock()
		now := s.now
		s.mu.Unlock()
		if now != nil {
			<-now.Done()
		}
		if !s.again(down, now) {
			return
		}
	}
}

// again starts the next process in place of one that has ended; false: none is wanted.
func (s *service) again(down <-chan struct{}, ended running) bool {
	if ended != nil && !s.note(down, ended) {
		return false
	}
	select {
	case <-down:
		return false
	case <-s.ctx.Done():
		return false
	case <-time.After(restartPause):
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if isClosed(down) {
		return false
	}
	if err := s.startNow(); err != nil {
		s.log("%s does not start: %v", s.name, firstLine(err))
	}
	return true
}

// note notes that a process has ended by itself; false: it was taken down.
func (s *service) note(down <-chan struct{}, ended running) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isClosed(down) {
		return false
	}
	_ = ended.Stop() // frees what an ended process may still hold, as the lock of a folder
	s.ended++
	s.now = nil
	return true
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// takeDown stops the service in order, and keeps it down. One that is down stays so.
func (s *service) takeDown() error {
	s.mu.Lock()
	if s.down != nil {
		close(s.down)
	}
	now := s.now
	s.down, s.now = nil, nil
	s.mu.Unlock()
	if now == nil {
		return nil
	}
	return now.Stop()
}

// kill ends the process as kill -9 does. The supervisor starts the next one.
func (s *service) kill() error {
	now, err := s.running()
	if err != nil {
		return err
	}
	if err := syscall.Kill(now.PID(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill %s: %w", s.name, err)
	}
	<-now.Done()
	return nil
}

// freeze stops the process without its knowing, until thaw.
func (s *service) freeze() error { return s.signal(syscall.SIGSTOP) }

func (s *service) thaw() error { return s.signal(syscall.SIGCONT) }

func (s *service) signal(which syscall.Signal) error {
	now, err := s.running()
	if err != nil {
		return err
	}
	if err := syscall.Kill(now.PID(), which); err != nil {
		return fmt.Errorf("signal %s: %w", s.name, err)
	}
	return nil
}

func (s *service) running() (running, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || isClosed(s.now.Done()) {
		return nil, fmt.Errorf("%s does not run", s.name)
	}
	return s.now, nil
}

// untilRuns waits until the supervisor has started the service again.
func (s *service) untilRuns(ctx context.Context) error {
	return until(ctx, 2*startLimit, s.name+" runs again", func(context.Context) bool {
		_, err := s.running()
		return err == nil
	})
}

// ends is how often the process has ended since the service was made, taken down apart.
func (s *service) ends() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// firstLine shortens an error that quotes a log.
func firstLine(err error) error {
	text, _, more := strings.Cut(err.Error(), "\n")
	if !more {
		return err
	}
	return errors.New(text)
}
