package bench

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for name, test := range map[string]struct {
		sorted []time.Duration
		share  float64
		want   time.Duration
	}{
		"none":                   {nil, 0.5, 0},
		"one is every share":     {[]time.Duration{7}, 0.01, 7},
		"the lower of two":       {[]time.Duration{1, 9}, 0.5, 1},
		"the upper of two":       {[]time.Duration{1, 9}, 0.51, 9},
		"p50 of 1 to 100":        {hundred, 0.50, 50},
		"p95 of 1 to 100":        {hundred, 0.95, 95},
		"p99 of 1 to 100":        {hundred, 0.99, 99},
		"all of 1 to 100":        {hundred, 1, 100},
		"share 0 is the minimum": {hundred, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := percentile(test.sorted, test.share); got != test.want {
				t.Errorf("percentile is %d; want %d", got, test.want)
			}
		})
	}
}

func TestSpreadOfUnsorted(t *testing.T) {
	t.Parallel()
	got := spreadOf([]time.Duration{4 * time.Millisecond, time.Millisecond, 1500 * time.Microsecond})
	if diff := cmp.Diff(spread{P50: 1.5, P95: 4, P99: 4, Max: 4}, got); diff != "" {
		t.Errorf("spread (-want +got):\n%s", diff)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for want, values := range map[float64][]float64{0: nil, 3: {3}, 2: {9, 1, 2}, 2.5: {4, 1, 2, 3}} {
		if got := median(values); got != want {
			t.Errorf("median of %v is %g; want %g", values, got, want)
		}
	}
}

func TestSharesLeaveOutDrift(t *testing.T) {
	t.Parallel()
	// The machine became evenly slower, down to half its speed.
	r := report{Rounds: []round{
		{Kind: kindFloor, PerSecond: 400}, {Kind: kindOurs, PerSecond: 280},
		{Kind: kindFloor, PerSecond: 300}, {Kind: kindOurs, PerSecond: 200},
		{Kind: kindFloor, PerSecond: 200},
	}}
	if diff := cmp.Diff([]float64{0.8, 0.8}, r.shares(func(one round) float64 { return one.PerSecond })); diff != "" {
		t.Errorf("shares (-want +got):\n%s", diff)
	}
}
