package switchboard

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// failureLine is a line of the table in docs/failures.md.
type failureLine struct {
	failure Failure
	status  int    // 0: any status
	where   string // what the line is limited to; empty: nothing
	repairs [3]string
	policy  string
	shows   EndpointVerdict // of the endpoint
}

// failureLines reads the table.
func failureLines(t *testing.T) []failureLine {
	t.Helper()
	text, err := os.ReadFile("docs/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	first := regexp.MustCompile("^`([a-z0-9_]+)`(?: (\\d{3}))?(?:, (.+))?$")
	var lines []failureLine
	inTable := false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| failure |") {
			inTable = true
			continue
		}
		if !strings.HasPrefix(line, "|") {
			inTable = false
		}
		if !inTable || strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 7 {
			t.Fatalf("%d cells in %s", len(cells), line)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		named := first.FindStringSubmatch(cells[0])
		if named == nil || cells[1] == "" {
			t.Fatalf("no failure, or no words for it, in %s", line)
		}
		status, _ := strconv.Atoi(named[2])
		lines = append(lines, failureLine{Failure(named[1]), status, named[3], [3]string(cells[2:5]), cells[5], EndpointVerdict(cells[6])})
	}
	return lines
}

// permanent returns what the line says of an outcome.
func (l *failureLine) permanent() bool { return l.policy == "permanent" }

// TestFailuresAreDocumented: every failure has a line, and every line has a failure.
func TestFailuresAreDocumented(t *testing.T) {
	t.Parallel()
	documented := map[Failure]int{}
	for _, l := range failureLines(t) {
		if documented[l.failure]++; !slices.Contains(Failures(), l.failure) {
			t.Errorf("%s is documented, and does not exist", l.failure)
		}
	}
	for _, f := range Failures() {
		if documented[f] == 0 {
			t.Errorf("%s is not documented", f)
		}
	}
}

// TestPermanentMeansThatNothingCanRepairIt: a line is permanent exactly if neither time nor the
// receiver nor the customer can help.
func TestPermanentMeansThatNothingCanRepairIt(t *testing.T) {
	t.Parallel()
	for _, l := range failureLines(t) {
		hopeless := true
		for _, cell := range l.repairs {
			yes, no := strings.HasPrefix(cell, "yes"), strings.HasPrefix(cell, "no")
			if yes == no {
				t.Errorf("%s %d: %q says neither yes nor no", l.failure, l.status, cell)
			}
			hopeless = hopeless && no
		}
		if l.policy != "retried" && l.policy != "permanent" || l.permanent() != hopeless {
			t.Errorf("%s %d %s: %s, and nothing can repair it: %t", l.failure, l.status, l.where, l.policy, hopeless)
		}
	}
}

// TestPolicyIsAsDocumented: Next does what each line says, and each status has the line that names
// it, or otherwise the line of its failure.
func TestPolicyIsAsDocumented(t *testing.T) {
	t.Parallel()
	policy := policies()["defaults"]
	lines := failureLines(t)
	for _, l := range lines {
		outcome := Outcome{Failure: l.failure, StatusCode: l.status, Permanent: l.where != "" && l.permanent()}
		if l.status != 0 && FailureOfStatus(l.status) != l.failure {
			t.Errorf("%d is %s, and documented as %s", l.status, FailureOfStatus(l.status), l.failure)
		}
		if got := Next(policy, Limits{}, "dlv_1", 1, outcome); (got.State == StateFailed) != l.permanent() || got.Permanent != l.permanent() {
			t.Errorf("%s %d %s: %+v; documented as %s", l.failure, l.status, l.where, got, l.policy)
		}
	}
	for status := 100; status <= 999; status++ {
		failure := FailureOfStatus(status)
		if failure == "" {
			continue
		}
		at := slices.IndexFunc(lines, func(l failureLine) bool { return l.failure == failure && l.status == status })
		if at < 0 {
			at = slices.IndexFunc(lines, func(l failureLine) bool { return l.failure == failure && l.status == 0 && l.where == "" })
		}
		if at < 0 {
			t.Errorf("%d, %s, has no line", status, failure)
			continue
		}
		if got := Next(policy, Limits{}, "dlv_1", 1, Outcome{Failure: failure, StatusCode: status}); got.Permanent != lines[at].permanent() {
			t.Errorf("%d: %+v; documented as %s", status, got, lines[at].policy)
		}
	}
}

// TestVerdictsAreAsDocumented: each line says what such an attempt shows of its endpoint.
func TestVerdictsAreAsDocumented(t *testing.T) {
	t.Parallel()
	for _, l := range failureLines(t) {
		if got := (Outcome{Failure: l.failure, StatusCode: l.status}).Endpoint(); got != l.shows {
			t.Errorf("%s %d %s: %s, documented as %s", l.failure, l.status, l.where, got, l.shows)
		}
	}
	if got := (Outcome{StatusCode: 200}).Endpoint(); got != EndpointWorks {
		t.Errorf("a success: %s", got)
	}
}

// TestScheduleIsAsDocumented: the numbers in the text are those of the defaults.
func TestScheduleIsAsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/retries.md")
	if err != nil {
		t.Fatal(err)
	}
	policy := policies()["defaults"]
	sum := Duration(0)
	waits, sums := "| after the one before |", "| after the first |"
	for i, wait := range policy.Schedule() {
		if sum += wait; i < 10 {
			waits, sums = waits+" "+wait.String()+" |", sums+" "+sum.String()+" |"
		}
	}
	for _, want := range []string{
		waits + " 4h | 4h |", sums + " … | " + policy.Span().String() + " |",
		"`initial_interval` " + policy.InitialInterval.String(), "`backoff_coefficient` " + strconv.FormatFloat(policy.BackoffCoefficient, 'g', -1, 64),
		"`maximum_interval` " + policy.MaximumInterval.String(), "`maximum_attempts` " + strconv.Itoa(policy.MaxAttempts),
	} {
		if !strings.Contains(strings.ReplaceAll(string(text), "\n", " "), want) {
			t.Errorf("it does not say %s", want)
		}
	}
}
