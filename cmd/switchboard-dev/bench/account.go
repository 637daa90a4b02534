package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"go.temporal.io/api/workflowservice/v1"
)

// The processes, with their names in the report.
const (
	processServe    = "switchboard serve"
	processFloor    = "bare worker"
	processTemporal = "Temporal server"
	processPostgres = "Postgres"
	processSelf     = "receiver and poster"
	processOthers   = "everything else on the machine" // in no sum: it shows that a run was disturbed
)

// usage is CPU time by process.
type usage map[string]time.Duration

// since returns what was used since an earlier reading.
func (u usage) since(earlier usage) usage {
	d := maps.Clone(u)
	for name := range d {
		d[name] -= earlier[name]
	}
	return d
}

// total returns what the stack used.
func (u usage) total() time.Duration {
	var sum time.Duration
	for _, d := range u {
		sum += d
	}
	return sum
}

// takeOthers removes and returns what is not part of the stack. On an idle machine, the difference
// of the kernel's two accounts may be some ticks below zero.
func (u usage) takeOthers() time.Duration {
	d := u[processOthers]
	delete(u, processOthers)
	return max(0, d)
}

// families finds the processes of each part of the stack.
func (s *stack) families() (map[string][]procStat, error) {
	all, err := everyStat()
	if err != nil {
		return nil, err
	}
	found := map[string][]procStat{
		processTemporal: only(all, s.temporal.PID()),
		processPostgres: family(all, s.postgres.PID()), // one process per connection
		processSelf:     only(all, os.Getpid()),        // the others are its descendants
	}
	if s.serve != nil {
		found[processServe] = only(all, s.serve.PID())
	}
	if s.floor != nil {
		found[processFloor] = only(all, s.floor.PID())
	}
	for name, members := range found {
		if len(members) == 0 {
			return nil, fmt.Errorf("%s has ended", name)
		}
	}
	return found, nil
}

// only returns one process, without what its children used.
func only(all []procStat, pid int) []procStat {
	for _, s := range all {
		if s.pid == pid {
			s.reaped = 0
			return []procStat{s}
		}
	}
	return nil
}

// used reads what every process has used so far.
func (s *stack) used() (usage, error) {
	families, err := s.families()
	if err != nil {
		return nil, err
	}
	u := usage{}
	for name, members := range families {
		u[name] = familyCPU(members)
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, err
	}
	busy, err := parseBusy(text)
	u[processOthers] = busy - u.total()
	return u, err
}

const (
	// pollPause is the interval of polls.
	pollPause = 100 * time.Millisecond
	// restWindow is how long Temporal and Postgres must be at rest, and restLimit the CPU that they
	// may use in that time: a tenth of a core. At rest they use less than half of that.
	restWindow = 500 * time.Millisecond
	restLimit  = 50 * time.Millisecond
	// taskTimeout is when the server checks a workflow again, to find that its first task did not
	// time out: 10 s after the start, the SDK's default, and a second for the timer's own delay. A
	// round that ended earlier would leave that work to the next.
	taskTimeout = 11 * time.Second
	// drainTimeout limits the time from the last delivery until the engine is idle.
	drainTimeout = 3 * time.Minute
)

// closed counts the closed workflows of a type in Temporal's own list.
func (s *stack) closed(ctx context.Context, workflowType string) (int64, error) {
	answer, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus != 'Running'", workflowType),
	})
	return answer.GetCount(), err
}

// drain waits until Temporal lists that many closed workflows of the type, has checked each for the
// last time, and is at rest. It returns how many there are then: more than wanted if deliveries
// were started twice.
func (s *stack) drain(ctx context.Context, workflowType string, wanted int64) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for {
		count, err := s.closed(ctx, workflowType)
		if err == nil && count < wanted {
			err = pause(ctx, pollPause)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return 0, fmt.Errorf("drain: %d of %d workflows %s are closed: %w", count, wanted, workflowType, err)
		}
		if err := errors.Join(pause(ctx, taskTimeout), s.rest(ctx)); err != nil {
			return 0, err
		}
		return s.closed(ctx, workflowType)
	}
}

// rest waits until Temporal and Postgres use almost no CPU.
func (s *stack) rest(ctx context.Context) error {
	for {
		before, err := s.used()
		if err != nil {
			return err
		}
		if err := pause(ctx, restWindow); err != nil {
			return fmt.Errorf("drain: Temporal and Postgres do not come to rest: %w", err)
		}
		after, err := s.used()
		if err != nil {
			return err
		}
		if u := after.since(before); u[processTemporal]+u[processPostgres] <= restLimit {
			return nil
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
