package bench

import (
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	got, err := parseStat(string(sample(t, "stat")))
	if err != nil {
		t.Fatal(err)
	}
	want := procStat{pid: 4242, parent: 17, cpu: 16540 * time.Millisecond, reaped: time.Second}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(procStat{})); diff != "" {
		t.Errorf("stat (-want +got):\n%s", diff)
	}
	for _, line := range []string{"", "1 (a) S", "x (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 12 13 14 15"} {
		if _, err := parseStat(line); err == nil {
			t.Errorf("%q is taken for a line of stat", line)
		}
	}
}

func TestParseBusy(t *testing.T) {
	t.Parallel()
	got, err := parseBusy([]byte("cpu  100 20 30 9000 800 4 5 6 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := 1650 * time.Millisecond; got != want {
		t.Errorf("busy for %s; want %s", got, want)
	}
	for _, text := range []string{"", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3", "cpu 1 2 3 4 5 x 7 8"} {
		if _, err := parseBusy([]byte(text)); err == nil {
			t.Errorf("%q is taken for /proc/stat", text)
		}
	}
}

func TestParseMemory(t *testing.T) {
	t.Parallel()
	status, rollup := sample(t, "status"), sample(t, "smaps_rollup")
	got, err := parseMemory(status, rollup)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(memory{RSS: 102400, PSS: 98304, Peak: 153600}, got); diff != "" {
		t.Errorf("memory (-want +got):\n%s", diff)
	}
	if _, err := parseMemory(rollup, status); err == nil {
		t.Error("the two files are taken for each other")
	}
}

func TestFamilyCountsTheDeadToo(t *testing.T) {
	t.Parallel()
	all := []procStat{
		{pid: 3, parent: 2, cpu: 300},
		{pid: 9, parent: 1, cpu: 9000},
		{pid: 2, parent: 1, cpu: 20, reaped: 7},
		{pid: 4, parent: 3, cpu: 4000},
	}
	if got := familyCPU(family(all, 2)); got != 4327 {
		t.Errorf("CPU of the family is %d; want 4327", got)
	}
	if got := familyCPU(only(all, 2)); got != 20 {
		t.Errorf("CPU of the process alone is %d; want 20", got)
	}
	if got := family(all, 5); len(got) != 0 {
		t.Errorf("a process that does not exist has the family %v", got)
	}
}

func TestOpenInState(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]float64{
		`switchboard_deliveries_open{state="retrying"} 10000`:                         10000,
		`switchboard_deliveries_open{otel_scope_name="x",state="retrying"} 1e+04`:     10000,
		`switchboard_deliveries_open{state="pending"} 3`:                              -1,
		`switchboard_deliveries_overdue{state="retrying"} 3`:                          -1,
		`# HELP switchboard_deliveries_open Deliveries that are not final, by state.`: -1,
	} {
		got, ok := openInState(line, "retrying")
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q is %g, %t; want %g", line, got, ok, want)
		}
	}
}
