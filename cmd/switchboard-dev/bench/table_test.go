package bench

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// measured is a run that meets some targets and misses others.
func measured() report {
	cpu := func(serve float64) map[string]float64 {
		return map[string]float64{processServe: serve, processTemporal: 3, processPostgres: 2, processSelf: 0.25}
	}
	floorCPU := map[string]float64{processFloor: 1, processTemporal: 3, processPostgres: 1.5, processSelf: 0}
	return report{
		Version: "0.1.0", Concurrency: 32,
		Machine: machine{Cores: 2, Platform: "linux/amd64", Go: "go1.26.8", Temporal: "v1.32.1", SDK: "v1.50.0"},
		IdleCPU: map[string]float64{processServe: 10, processTemporal: 20},
		Rounds: []round{
			{Kind: kindFloor, Deliveries: 4000, Seconds: 8, Drained: 20, PerSecond: 300, CPU: floorCPU, CPUAll: 5.5},
			{Kind: kindOurs, Deliveries: 4000, Seconds: 8, Drained: 20, Accepted: 4, PerSecond: 250, CPU: cpu(3.75), CPUAll: 9, Duplicates: 1, Superfluous: 14},
			{Kind: kindFloor, Deliveries: 4000, Seconds: 8, Drained: 20, PerSecond: 400, CPU: floorCPU, CPUAll: 5.5},
			{Kind: kindOurs, Deliveries: 4000, Seconds: 8, Drained: 20, Accepted: 4, PerSecond: 300, CPU: cpu(3.75), CPUAll: 9, Others: 0.15},
			{Kind: kindFloor, Deliveries: 4000, Seconds: 8, Drained: 20, PerSecond: 350, CPU: floorCPU, CPUAll: 5.5},
		},
		Latency: &latency{
			Rate: 50, Arrival: spread{P50: 12, P95: 30, P99: 50.1, Max: 60}, Answer: spread{P50: 4, P95: 6, P99: 9, Max: 10}, CPU: cpu(4),
		},
		Backoff: &backoff{
			Deliveries: 5000, PeakBefore: 90 << 10,
			AtRest: map[string]memory{processServe: {RSS: 100 << 10, PSS: 95 << 10, Peak: 160 << 10}, processTemporal: {PSS: 500 << 10}, processPostgres: {PSS: 300 << 10}},
		},
		Rendering: &rendering{Microseconds: map[string]float64{shapeData: 3.8, shapeParams: 65.25, shapeXML: 22.5}},
		Limits:    &limits{Deliveries: 700, LoadMost: 0.99, Idle: 9980, Full: 5070, Deviation: 20},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	r := measured()
	var out strings.Builder
	if err := r.print(&out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(sample(t, "table")), out.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestTableOfNothing(t *testing.T) {
	t.Parallel()
	if lines := (&report{}).lines(); len(lines) != 0 {
		t.Errorf("a run that measured nothing has the lines %v", lines)
	}
}

func TestReportAsJSON(t *testing.T) {
	t.Parallel()
	r, path := measured(), t.TempDir()+"/report.json"
	if err := r.write(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"cpu_ms_per_delivery_all": 5.5`, `"p99": 50.1`, `"peak_kib": 163840`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report lacks %s", want)
		}
	}
}
