package app

import (
	"cmp"
	"fmt"
	"log/slog"

	"go.opentelemetry.io/otel/metric"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/worker"

	switchboardworker "github.com/seed-49a43567/switchboard/worker"
)

// stickyWorkflows is the minimum number of workflows that a worker keeps in memory. A delivery in
// backoff wakes its workflow only to end it, and replaying its few events costs less than keeping
// ten thousand workflows. Those in their first task, at most one per slot, need a place.
const stickyWorkflows = 500

// temporalOptions are the configuration's settings for Temporal, with the SDK's defaults.
func (c *Config) temporalOptions() (client.Options, error) {
	load := c.Temporal
	if load == nil {
		load = envconfig.LoadDefaultClientOptions
	}
	options, err := load()
	if err != nil {
		return client.Options{}, fmt.Errorf("TEMPORAL_… variables: %w", err)
	}
	options.HostPort, options.Namespace = cmp.Or(options.HostPort, client.DefaultHostPort), cmp.Or(options.Namespace, client.DefaultNamespace)
	return options, nil
}

// dialTemporal makes the client for the configuration. It connects on first use, so that a process
// can start while Temporal is away.
func (c *Config) dialTemporal(identity string, meter metric.Meter, logger *slog.Logger) (client.Client, string, error) {
	options, err := c.temporalOptions()
	if err != nil {
		return nil, "", err
	}
	options.Identity = identity
	options.Logger = switchboardworker.SDKLog(logger)
	options.MetricsHandler = opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{Meter: meter, UseMonotonicCounters: true})
	// The SDK compresses by default, but ids and states are too small for it.
	options.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	worker.SetStickyWorkflowCacheSize(max(stickyWorkflows, c.Slots))
	lazy, err := client.NewLazyClient(options)
	if err != nil {
		return nil, "", fmt.Errorf("TEMPORAL_… variables: %w", err)
	}
	return lazy, options.Namespace, nil
}
