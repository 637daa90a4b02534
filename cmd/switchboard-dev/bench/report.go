package bench

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// report is everything that a run measured.
type report struct {
	At          time.Time          `json:"at"`
	Version     string             `json:"version"`
	Machine     machine            `json:"machine"`
	Concurrency int                `json:"concurrency"`
	IdleCPU     map[string]float64 `json:"idle_cpu_ms_per_second,omitempty"` // not subtracted anywhere
	Rounds      []round            `json:"rounds,omitempty"`
	Latency     *latency           `json:"latency,omitempty"`
	Backoff     *backoff           `json:"backoff,omitempty"`
	Rendering   *rendering         `json:"rendering,omitempty"`
	Limits      *limits            `json:"limits,omitempty"`
	History     *history           `json:"history,omitempty"`
	Lists       *lists             `json:"lists,omitempty"`
	Isolation   *isolation         `json:"isolation,omitempty"`
	Parked      *parked            `json:"parked,omitempty"`
	Traces      *traces            `json:"traces,omitempty"`
}

// machine describes where the numbers were measured.
type machine struct {
	Cores    int    `json:"cores"`
	Platform string `json:"platform"`
	Go       string `json:"go"`
	Temporal string `json:"temporal"` // version of the embedded server
	SDK      string `json:"temporal_sdk"`
}

func newReport(c Command) report {
	m := machine{Cores: runtime.NumCPU(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			switch dependency.Path {
			case "go.temporal.io/server":
				m.Temporal = dependency.Version
			case "go.temporal.io/sdk":
				m.SDK = dependency.Version
			}
		}
	}
	return report{At: time.Now().UTC(), Version: switchboard.Version, Machine: m, Concurrency: c.Concurrency}
}

// write stores the report as JSON.
func (r *report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// of returns a value of each round of that kind, in order.
func (r *report) of(kind string, value func(round) float64) []float64 {
	var values []float64
	for _, one := range r.Rounds {
		if one.Kind == kind {
			values = append(values, value(one))
		}
	}
	return values
}

// shares compares each of our rounds with the mean of the floor's rounds before and after it,
// because the machine's own speed drifts.
func (r *report) shares(value func(round) float64) []float64 {
	floor, ours := r.of(kindFloor, value), r.of(kindOurs, value)
	var shares []float64
	for i := range min(len(floor)-1, len(ours)) {
		shares = append(shares, 2*ours[i]/(floor[i]+floor[i+1]))
	}
	return shares
}

// others returns the load by everything else on the machine, in each phase.
func (r *report) others() []float64 {
	var cores []float64
	for _, one := range r.Rounds {
		cores = append(cores, one.Others)
	}
	if r.Latency != nil {
		cores = append(cores, r.Latency.Others)
	}
	return cores
}
