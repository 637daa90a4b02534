package worker

import (
	"context"
	"log/slog"
	"testing"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
)

// A process that stops while it waits for Temporal has nothing to complain of.
func TestStopWhileTemporalIsAwayIsNoError(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	c, err := client.NewLazyClient(client.Options{HostPort: "127.0.0.1:1", Logger: sdklog.NewStructuredLogger(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := Run(ctx, Config{Client: c, Namespace: client.DefaultNamespace, Log: log}); err != nil {
		t.Errorf("ended with %v", err)
	}
}
