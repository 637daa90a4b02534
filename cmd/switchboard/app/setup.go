package app

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/worker"
)

const (
	// answerWait is how long a Temporal server may take to answer at all.
	answerWait = 5 * time.Second
	// propagation is how long a server may take until it knows a new namespace and new search
	// attributes: each of its processes reads the namespaces every few seconds.
	propagation      = time.Minute
	propagationPause = 200 * time.Millisecond
)

// Setup creates what Switchboard needs on the Temporal server, the namespace and its search
// attributes, and prints what it did. It does not change what exists, so it may run again at any
// time. It returns when deliveries can be started. The retention applies to a namespace that it
// creates; 0: that of workers.
func Setup(ctx context.Context, config Config, retention time.Duration, out io.Writer) error {
	options, err := config.temporalOptions()
	if err != nil {
		return err
	}
	c, namespace, err := config.dialTemporal(worker.NewIdentity(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := checkAnswers(ctx, c); err != nil {
		return fmt.Errorf("no Temporal server answers on %s: %w (TEMPORAL_ADDRESS sets the address, TEMPORAL_TLS and TEMPORAL_API_KEY what it asks for)", options.HostPort, err)
	}
	retention = cmp.Or(retention, worker.NamespaceRetention)
	made, err := worker.EnsureNamespace(ctx, c, namespace, retention)
	if err != nil {
		return err
	}
	did := "is there"
	if made {
		did = "made, with a retention of " + switchboard.Duration(retention).String()
	}
	fmt.Fprintf(out, "namespace %s on %s: %s\n", namespace, options.HostPort, did)
	if did, err = setupAttributes(ctx, c, namespace); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "search attributes: %s\n", did)
	return err
}

func checkAnswers(ctx context.Context, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// setupAttributes registers the missing search attributes, and prints what it did. If it may not do
// that, for example on Temporal Cloud, it is enough that they exist.
func setupAttributes(ctx context.Context, c client.Client, namespace string) (did string, err error) {
	var added []string
	err = eventually(ctx, worker.IsUnknownNamespace, func(ctx context.Context) (err error) {
		added, err = worker.EnsureSearchAttributes(ctx, c, namespace)
		return err
	})
	check := func(ctx context.Context) error { return worker.CheckSearchAttributes(ctx, c, namespace) }
	switch {
	case worker.IsDenied(err) && check(ctx) == nil:
		return "are there", nil
	case err != nil:
		return "", fmt.Errorf("search attributes: %w (where they cannot be registered from here, as on Temporal Cloud, make them there, of type Keyword: %s)",
			err, strings.Join(worker.SearchAttributes(), ", "))
	}
	if err := eventually(ctx, func(error) bool { return true }, check); err != nil {
		return "", fmt.Errorf("search attributes are registered, and the server refuses them: %w", err)
	}
	if len(added) == 0 {
		return "are there", nil
	}
	return "added " + strings.Join(added, ", "), nil
}

// eventually repeats what fails because the server does not know something new yet.
func eventually(ctx context.Context, unknown func(error) bool, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, propagation)
	defer cancel()
	again := time.NewTicker(propagationPause)
	defer again.Stop()
	for {
		err := do(ctx)
		if err == nil || !unknown(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}
