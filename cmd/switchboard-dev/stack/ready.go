package stack

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	// readyPause is the interval at which the API is asked whether it is ready.
	readyPause = 50 * time.Millisecond
	// readyTimeout allows for a machine that is busy with something else.
	readyTimeout = time.Minute
)

// awaitReady returns when the API says that it is ready.
func awaitReady(ctx context.Context, api string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("the API was not ready within %s", readyTimeout))
	defer cancel()
	ask := time.NewTicker(readyPause)
	defer ask.Stop()
	for !ready(ctx, api) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ask.C:
		}
	}
	return nil
}

func ready(ctx context.Context, api string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, api+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}
