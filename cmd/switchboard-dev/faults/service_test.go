package faults

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// program is a process that ends when it is told to.
type program struct {
	number int
	done   chan struct{}
}

func (p *program) PID() int              { return p.number }
func (p *program) Done() <-chan struct{} { return p.done }

func (p *program) Stop() error {
	if !isClosed(p.done) {
		close(p.done)
	}
	return nil
}

// programs starts one program after the other.
type programs struct {
	started []*program
	broken  bool // none starts
}

func (p *programs) start(context.Context) (running, error) {
	if p.broken {
		return nil, errors.New("broken\nand a long log")
	}
	next := &program{number: len(p.started) + 1, done: make(chan struct{})}
	p.started = append(p.started, next)
	return next, nil
}

func supervised(t *testing.T) (*service, *programs) {
	t.Helper()
	all := &programs{}
	s, err := newService(t.Context(), "it", all.start, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	return s, all
}

func runs(s *service) int {
	synctest.Wait()
	now, err := s.running()
	if err != nil {
		return 0
	}
	return now.PID()
}

// TestSupervision: a process that ends is restarted a second later, even if that fails at first. A
// service that was taken down is not restarted.
func TestSupervision(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, all := supervised(t)
		step := func(what string, want int) {
			t.Helper()
			if got := runs(s); got != want {
				t.Errorf("%s: process %d runs, want %d", what, got, want)
			}
		}
		step("at first", 1)
		close(all.started[0].done)
		step("it has ended", 0)
		time.Sleep(restartPause)
		step("a second later", 2)

		all.broken = true
		close(all.started[1].done)
		time.Sleep(3 * restartPause)
		step("none starts", 0)
		all.broken = false
		time.Sleep(restartPause)
		step("one starts", 3)

		if err := errors.Join(s.takeDown(), s.bringUp()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * restartPause)
		step("stopped and started", 4)
		if err := errors.Join(s.takeDown(), s.takeDown()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * restartPause)
		step("taken down", 0)
		if n := s.ends(); n != 2 {
			t.Errorf("it ended %d times by itself, want 2", n)
		}
	})
}
