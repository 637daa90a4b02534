package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/activities"
	"github.com/seed-49a43567/switchboard/store"
	"github.com/seed-49a43567/switchboard/worker"
)

// ErasureRequest says what to erase, and why.
type ErasureRequest struct {
	Tenant  string // for an event it may be empty if only one tenant has that id
	EventID string // empty: the whole tenant
	Reason  string
	Wait    bool // until everything is erased
}

// erasurePause is the interval at which an erasure's progress is read.
const erasurePause = time.Second

// Erase begins an erasure, prints its id, and on request follows it to its end.
func Erase(ctx context.Context, config Config, request ErasureRequest, out io.Writer) error {
	if strings.TrimSpace(request.Reason) == "" {
		return switchboard.InvalidField("--reason", "is empty: the reason is kept when the data are gone")
	}
	s, err := config.openMigrated(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	log := slog.New(slog.DiscardHandler)
	c, namespace, err := config.dialTemporal(worker.NewIdentity(), nil, log)
	if err != nil {
		return err
	}
	defer c.Close()
	e, err := request.begin(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, e.ID)
	if !e.Finished() {
		if err := worker.NewEngine(c, namespace, "cli", s, &activities.Outages{Log: log}, log).Erase(ctx, e.ID); err != nil {
			return err
		}
	}
	if !request.Wait {
		return nil
	}
	return follow(ctx, s, e, out)
}

func (r ErasureRequest) begin(ctx context.Context, s *store.Store) (switchboard.Erasure, error) {
	if r.EventID != "" {
		return s.EraseEvent(ctx, operator, r.Tenant, r.EventID, r.Reason)
	}
	return s.EraseTenant(ctx, operator, r.Tenant, r.Reason)
}

// follow prints the progress of an erasure until it is finished.
func follow(ctx context.Context, s *store.Store, e switchboard.Erasure, out io.Writer) error {
	look := time.NewTicker(erasurePause)
	defer look.Stop()
	for last := (switchboard.Erased{}); ; {
		if e.Erased != last || e.Finished() {
			last = e.Erased
			fmt.Fprintf(out, "cancelled %d, erased %d deliveries, %d attempts, %d events, %d subscriptions, %d keys\n",
				last.Cancelled, last.Deliveries, last.Attempts, last.Events, last.Subscriptions, last.Keys)
		}
		if e.Finished() {
			_, err := fmt.Fprintf(out, "finished at %s\n", date(e.FinishedAt))
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		var err error
		if e, err = s.Erasure(ctx, operator, e.ID); err != nil {
			return err
		}
	}
}
