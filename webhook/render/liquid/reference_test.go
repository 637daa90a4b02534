package liquid

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// newRun is a run with data that contain v, n (null) and t (a text), in the year 2026.
func newRun(t testing.TB, v string) Run {
	t.Helper()
	decoded, err := document.Decode([]byte(`{"v":` + v + `,"n":null,"t":"text"}`))
	if err != nil {
		t.Fatalf("%s: %v", v, err)
	}
	return Run{Scope: object{decoded.(*document.Object)}, Budget: NewBudget(), Now: time.Date(2026, 7, 5, 10, 0, 0, 0, time.UTC)}
}

// TestReferenceFacts compares the filters with the references' own tests.
func TestReferenceFacts(t *testing.T) {
	t.Parallel()
	file, err := os.Open("testdata/reference.tsv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	seen := 0
	for lines := bufio.NewScanner(file); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 4 {
			continue
		}
		seen++
		reference, call, input, want := fields[0], fields[1], fields[2], fields[3]
		source := "{{ v | " + call + " }}"
		if strings.HasPrefix(want, "[") {
			source = "{{ v | " + call + " | json }}"
		} else if value, err := document.Decode([]byte(want)); err == nil {
			want = textOf(value)
		}
		if got, err := render(t, source, newRun(t, input)); err != nil || got != want {
			t.Errorf("%s with v = %s: %q, %v; %s has %q", source, input, got, err, reference, want)
		}
	}
	if seen < 200 {
		t.Errorf("only %d facts were read", seen)
	}
}
