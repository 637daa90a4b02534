package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// How what the process needs is watched. An answer counts for a while: that bridges
// several failures in a row, as of a machine that is busy and takes posts all the same.
const (
	watchPause   = 2 * time.Second  // between two looks
	watchTimeout = 3 * time.Second  // of one look
	watchMemory  = 12 * time.Second // how long an answer counts: two looks that fail change nothing
	rarePause    = time.Minute      // between two looks that cost more, at what changes with a roll-out
)

// watch looks at one thing again and again, so that whoever asks is answered from memory:
// at once, also while the thing hangs.
type watch struct {
	// look returns what it found amiss, or an error if it found out nothing.
	look   func(context.Context) (amiss, err error)
	pause  time.Duration
	memory time.Duration
	now    func() time.Time

	mu       sync.Mutex
	looked   bool      // at least once, to whatever end
	answered time.Time // when it last found out something; zero: never
	amiss    error     // that
}

func newWatch(pause time.Duration, look func(context.Context) (amiss, err error)) *watch {
	return &watch{look: look, pause: pause, memory: max(watchMemory, 3*pause), now: time.Now}
}

// run looks until ctx ends.
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

// once looks, and remembers what it found.
func (w *watch) once(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	amiss, err := w.look(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = true
	if err == nil {
		w.answered, w.amiss = w.now(), amiss
	}
}

// state is what is amiss; away says that nothing has been found out for too long. Before
// the first look it is neither, and not known.
func (w *watch) state() (known bool, amiss, away error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch since := w.now().Sub(w.answered); {
	case !w.looked:
		return false, nil, nil
	case w.answered.IsZero():
		return true, nil, errors.New("has not answered since this process started")
	case since > w.memory:
		return true, nil, fmt.Errorf("has not answered for %s", since.Round(time.Second))
	}
	return true, w.amiss, nil
}
