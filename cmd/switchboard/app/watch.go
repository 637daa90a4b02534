package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Times for the checks of what the process needs. A result counts for a while, so that a few failed
// checks in a row, for example on a busy machine that still accepts events, change nothing.
const (
	watchPause   = 2 * time.Second  // between two checks
	watchTimeout = 3 * time.Second  // of one check
	watchMemory  = 12 * time.Second // how long a result counts: two failed checks change nothing
	rarePause    = time.Minute      // between two checks that cost more, of things that only change with a roll-out
)

// watch checks a dependency at intervals and remembers the result. So a probe is answered at once,
// even while the dependency hangs.
type watch struct {
	// check returns the problem that it found, or an error if it could not find out.
	check  func(context.Context) (problem, err error)
	pause  time.Duration
	memory time.Duration
	now    func() time.Time

	mu       sync.Mutex
	checked  bool      // at least once, whatever the result
	answered time.Time // when a check last found out the state; zero: never
	problem  error     // nil: none found
}

func newWatch(pause time.Duration, check func(context.Context) (problem, err error)) *watch {
	return &watch{check: check, pause: pause, memory: max(watchMemory, 3*pause), now: time.Now}
}

// run checks until ctx ends.
func (w *watch) run(ctx context.Context) {
	tick := time.NewTicker(w.pause)
	defer tick.Stop()
	for {
		w.once(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// once checks once, and remembers the result.
func (w *watch) once(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	problem, err := w.check(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checked = true
	if err == nil {
		w.answered, w.problem = w.now(), problem
	}
}

// state returns the problem. away says that no check has found out the state for too long. Before
// the first check neither is known.
func (w *watch) state() (known bool, problem, away error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch since := w.now().Sub(w.answered); {
	case !w.checked:
		return false, nil, nil
	case w.answered.IsZero():
		return true, nil, errors.New("has not answered since this process started")
	case since > w.memory:
		return true, nil, fmt.Errorf("has not answered for %s", since.Round(time.Second))
	}
	return true, w.problem, nil
}
