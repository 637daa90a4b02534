package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/worker"
)

// The errors of a verification, after its report is printed.
var (
	ErrViolations = errors.New("not every promise is kept")
	ErrUnchecked  = errors.New("no promise was found broken, and some checks were not completed")
)

// VerifyOptions say how to verify.
type VerifyOptions struct {
	JSON         bool
	SkipTemporal bool
}

const (
	// verifyPause is the interval at which a delivery is read again if its row and workflow differ:
	// one of them may just be changing.
	verifyPause = 3 * time.Second
	verifyLooks = 3
)

// Verify checks Switchboard's promises in the live database and in Temporal, without changing
// anything, and prints violations.
func Verify(ctx context.Context, config Config, options VerifyOptions, out io.Writer) error {
	s, err := config.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	v, err := s.Verify(ctx, config.retention(), time.Duration(config.IdempotencyWindow))
	if err != nil {
		return err
	}
	defer v.Close()
	if err := v.Database(ctx); err != nil {
		return err
	}
	if !options.SkipTemporal {
		if err := verifyTemporal(ctx, config, s, v); err != nil {
			return err
		}
	}
	if err := printReport(v.Report, options.JSON, out); err != nil {
		return err
	}
	switch {
	case len(v.Report.Violations) > 0:
		return ErrViolations
	case len(v.Report.Unchecked) > 0:
		return ErrUnchecked
	}
	return nil
}

func printReport(r switchboard.VerifyReport, asJSON bool, out io.Writer) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	for _, kind := range []struct {
		name  string
		found []switchboard.Violation
	}{{"violation", r.Violations}, {"unchecked", r.Unchecked}} {
		for _, f := range kind.found {
			fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", kind.name, f.Check, dash(f.Partition), dash(f.Subject), dash(f.Detail))
		}
	}
	_, err := fmt.Fprintf(out, "%d checks, %d violations, %d not completed\n", r.Checks, len(r.Violations), len(r.Unchecked))
	return err
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// verifyTemporal checks that a workflow runs for each delivery that waits for an attempt, and for
// no other.
func verifyTemporal(ctx context.Context, config Config, s *store.Store, v *store.Verification) error {
	log := slog.New(slog.DiscardHandler)
	c, namespace, err := config.dialTemporal(worker.NewIdentity(), nil, log)
	if err != nil {
		return err
	}
	defer c.Close()
	engine := worker.NewEngine(c, namespace, "verify", s, &activities.Outages{Log: log}, log)
	open, err := v.Open(ctx)
	if err != nil {
		return err
	}
	running, err := engine.RunningDeliveries(ctx)
	if err != nil {
		return fmt.Errorf("list the workflows of Temporal: %w", err)
	}
	var suspects []string
	for id, d := range open {
		if d.HasNextAttempt && !d.Undispatched && !running[id] {
			suspects = append(suspects, id)
		}
	}
	for id := range running {
		if !open[id].HasNextAttempt {
			suspects = append(suspects, id)
		}
	}
	slices.Sort(suspects)
	v.Report.Checks += 2
	return confirm(ctx, engine, v, suspects)
}

// confirm reads each suspect again until row and workflow agree, or have differed every time.
func confirm(ctx context.Context, engine *worker.Engine, v *store.Verification, suspects []string) error {
	for look := 1; len(suspects) > 0; look++ {
		if look > 1 {
			select {
			case <-time.After(verifyPause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		var still []string
		for _, id := range suspects {
			found, err := differs(ctx, engine, v, id)
			if err != nil {
				return err
			}
			if found.Check == "" {
				continue
			}
			if still = append(still, id); look == verifyLooks {
				v.Violate(found)
			}
		}
		if suspects = still; look == verifyLooks {
			return nil
		}
	}
	return nil
}

// differs returns the violation that the delivery's row and its workflow form together, if any.
func differs(ctx context.Context, engine *worker.Engine, v *store.Verification, id string) (switchboard.Violation, error) {
	view, err := engine.Describe(ctx, id)
	if err != nil {
		return switchboard.Violation{}, fmt.Errorf("describe the workflow of a delivery: %w", err)
	}
	d, open, err := v.Read(ctx, id)
	if err != nil {
		return switchboard.Violation{}, err
	}
	runs := view.Status == activities.WorkflowRunning || view.Status == activities.WorkflowBackingOff || view.Status == activities.WorkflowPaused
	switch {
	case d.Undispatched, d.JustEnded && runs:
	case open && d.HasNextAttempt && !runs:
		return switchboard.Violation{Check: "delivery_without_workflow", Subject: id, Detail: "its workflow is " + string(view.Status)}, nil
	case runs && !open:
		return switchboard.Violation{Check: "workflow_without_delivery", Subject: id, Detail: "the delivery is final, or gone"}, nil
	case runs && !d.HasNextAttempt:
		return switchboard.Violation{Check: "workflow_without_delivery", Subject: id, Detail: "the delivery is parked"}, nil
	}
	return switchboard.Violation{}, nil
}
