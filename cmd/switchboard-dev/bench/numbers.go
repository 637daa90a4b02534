package bench

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// spread is the distribution of a set of durations, in milliseconds.
type spread struct {
	P50 float64 `json:"p50"`
	P95 float64 `json:"p95"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func spreadOf(all []time.Duration) spread {
	sorted := slices.Sorted(slices.Values(all))
	at := func(share float64) float64 { return milliseconds(percentile(sorted, share)) }
	return spread{P50: at(0.50), P95: at(0.95), P99: at(0.99), Max: at(1)}
}

// percentile is the smallest value that at least that share of all values does not exceed. It never
// interpolates. 0 for none.
func percentile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	rank := int(math.Ceil(share * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// median is the middle value, or the mean of the two in the middle. 0 for none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// percentages writes shares as whole percentages.
func percentages(shares []float64) string {
	words := make([]string, len(shares))
	for i, share := range shares {
		words[i] = fmt.Sprintf("%.0f", 100*share)
	}
	return strings.Join(words, " ")
}

// perUnit is CPU in milliseconds by process, divided by a number of units.
func perUnit(u usage, units float64) map[string]float64 {
	shares := map[string]float64{}
	for name, d := range u {
		shares[name] = milliseconds(d) / units
	}
	return shares
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func mebibytes(kib int64) float64 { return float64(kib) / 1024 }
