package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// backoff is the memory of the stack with many deliveries in backoff.
type backoff struct {
	Deliveries int               `json:"deliveries"`
	AtRest     map[string]memory `json:"at_rest"` // by process
	PeakBefore int64             `json:"serve_peak_before_kib"`
	Seconds    float64           `json:"seconds"` // until all were in backoff
}

// backoffTimeout limits the phase: ten thousand deliveries take about two minutes.
const backoffTimeout = 15 * time.Minute

// measureMemory makes deliveries fail until all wait for their second attempt in an hour, and reads
// the memory when the engine is at rest.
func (b *bench) measureMemory(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, backoffTimeout)
	defer cancel()
	m := backoff{Deliveries: b.Backoff}
	earlier, err := readMemory(b.stack.serve.PID())
	if err != nil {
		return err
	}
	m.PeakBefore = earlier.Peak
	if err := forgetPeak(b.stack.serve.PID()); err != nil {
		return err
	}
	b.stack.receiver.expect(b.Backoff)
	start := time.Now()
	if _, err := b.stack.poster.burst(ctx, func(int) string { return tenantAway }, b.Backoff, b.Concurrency); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if err := b.stack.receiver.wait(ctx); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if err := b.untilRetrying(ctx); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	m.Seconds = time.Since(start).Seconds()
	if err := b.stack.rest(ctx); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if m.AtRest, err = b.stack.memory(); err != nil {
		return err
	}
	b.progress("%d deliveries in backoff: switchboard serve holds %.0f MiB, at most %.0f", b.Backoff, mebibytes(m.AtRest[processServe].RSS), mebibytes(m.AtRest[processServe].Peak))
	b.report.Backoff = &m
	return nil
}

// memory reads the memory of every part of the stack.
func (s *stack) memory() (map[string]memory, error) {
	families, err := s.families()
	if err != nil {
		return nil, err
	}
	held := map[string]memory{}
	for name, members := range families {
		if held[name], err = memoryOf(members); err != nil {
			return nil, err
		}
	}
	return held, nil
}

// untilRetrying waits until Switchboard itself counts every delivery as in backoff.
func (b *bench) untilRetrying(ctx context.Context) error {
	for {
		count, err := b.stack.poster.retrying(ctx)
		if err != nil {
			return err
		}
		if count >= b.Backoff {
			return nil
		}
		if err := pause(ctx, time.Second); err != nil {
			return fmt.Errorf("%d of %d deliveries are in backoff: %w", count, b.Backoff, err)
		}
	}
}

// retrying reads the number of deliveries in backoff from the metrics.
func (p *poster) retrying(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if value, ok := openInState(lines.Text(), "retrying"); ok {
			return int(value), nil
		}
	}
	return 0, lines.Err()
}

// openInState parses a line such as switchboard_deliveries_open{state="retrying"} 12.
func openInState(line, state string) (float64, bool) {
	name, value := cutLast(line, " ")
	if !strings.HasPrefix(name, "switchboard_deliveries_open{") || !strings.Contains(name, `state="`+state+`"`) {
		return 0, false
	}
	n, err := strconv.ParseFloat(value, 64)
	return n, err == nil
}
