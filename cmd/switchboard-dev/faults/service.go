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

// startLimit limits one start of a process. A process that hangs is killed and started again.
const startLimit = 3 * time.Minute

// running is a process.
type running interface {
	PID() int
	Done() <-chan struct{}
	Stop() error
}

// service is a process that is restarted whenever it ends, until it is taken down.
type service struct {
	name  string
	start func(context.Context) (running, error)
	log   func(format string, args ...any)

	ctx   context.Context // of the supervision
	mu    sync.Mutex
	now   running       // nil: it is down, or waits for its next start
	down  chan struct{} // closed to end the running supervision
	ended int           // how often it ended without a request
}

// newService starts a service. It is supervised until ctx ends or it is taken down.
func newService(ctx context.Context, name string, start func(context.Context) (running, error), log func(string, ...any)) (*service, error) {
	s := &service{name: name, start: start, log: log, ctx: ctx}
	return s, s.bringUp()
}

// bringUp starts a service that is down. It returns the error of this first start.
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

// supervise restarts the service whenever it ends, until it is taken down.
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

// again starts the next process after one has ended; false: none is wanted.
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

// note records that a process has ended by itself; false: it was taken down.
func (s *service) note(down <-chan struct{}, ended running) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if isClosed(down) {
		return false
	}
	_ = ended.Stop() // frees what an ended process may still hold, such as the lock of a folder
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

// takeDown stops the service in order, and keeps it down. If it is down, it does nothing.
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

// kill ends the process like kill -9. The supervisor starts the next one.
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

// freeze stops the process, without its knowledge, until thaw.
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

// untilRuns waits until the supervisor has restarted the service.
func (s *service) untilRuns(ctx context.Context) error {
	return until(ctx, 2*startLimit, s.name+" runs again", func(context.Context) bool {
		_, err := s.running()
		return err == nil
	})
}

// ends returns how often the process has ended, not counting when it was taken down.
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
