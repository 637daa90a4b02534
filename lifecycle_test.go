package switchboard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// The dates of the walk through the table of docs/state_machine.md.
var (
	walkNow  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	walkDate = walkNow.Add(time.Hour)
)

// transition is a row of the table.
type transition struct {
	name     string
	from     []string
	to       string
	dispatch string
}

// methods are the transitions by their names in the table.
var methods = map[string]func(*Delivery) error{
	"Accept": func(d *Delivery) error { d.Accept(walkNow, Admission{Kind: AdmissionSend}); return nil },
	"Accept (deferred)": func(d *Delivery) error {
		d.Accept(walkNow, Admission{Kind: AdmissionDefer, Until: walkDate})
		return nil
	},
	"Accept (parked)":  func(d *Delivery) error { d.Accept(walkNow, parkedAdmission); return nil },
	"Accept (blocked)": func(d *Delivery) error { d.Accept(walkNow, blockedAdmission); return nil },
	"Accept (ended)":   func(d *Delivery) error { d.Accept(walkNow, endedAdmission); return nil },

	"Record (delivered)":          recordOf(StateDelivered, 2),
	"Record (retry)":              recordOf(StateRetrying, 2),
	"Record (failed)":             recordOf(StateFailed, 2),
	"Record (earlier generation)": recordOf(StateDelivered, 1),

	"Retry":                        func(d *Delivery) error { return d.Retry(walkNow, walkNow, Obstacles{}) },
	"Retry (later)":                func(d *Delivery) error { return d.Retry(walkNow, walkDate, Obstacles{}) },
	"Retry (subscription deleted)": func(d *Delivery) error { return d.Retry(walkNow, walkNow, Obstacles{SubscriptionDeleted: true}) },
	"Retry (data erased)": func(d *Delivery) error {
		return d.Retry(walkNow, walkNow, Obstacles{NothingToSend: Errorf(CodeConflict, "erased")})
	},
	"Reset":                        func(d *Delivery) error { d.Reset(walkNow, "reset", false); return nil },
	"Reset (subscription deleted)": func(d *Delivery) error { d.Reset(walkNow, "reset", true); return nil },
	"DispatchBy":                   func(d *Delivery) error { d.DispatchBy(walkDate); return nil },
	"StartNextGeneration":          func(d *Delivery) error { d.StartNextGeneration(walkNow, 2); return nil },
	"Cancel":                       func(d *Delivery) error { return d.Cancel(walkNow, ReasonOperator, walkDate) },
	"Close":                        func(d *Delivery) error { d.Close(walkNow, 2, StateCancelled, ReasonTerminated); return nil },
	"Close (expired)":              func(d *Delivery) error { d.Close(walkNow, 2, StateFailed, ReasonExpired); return nil },
	"Hold (blocked)":               func(d *Delivery) error { d.Hold(walkNow, 2, blockedAdmission); return nil },
	"Hold":                         func(d *Delivery) error { d.Hold(walkNow, 2, parkedAdmission); return nil },
	"SetAside":                     func(d *Delivery) error { return d.SetAside(walkNow, asideAdmission, walkDate) },
	"Expire":                       func(d *Delivery) error { d.Expire(walkNow); return nil },
	"Release":                      func(d *Delivery) error { return d.Release(walkNow, walkDate, Admission{Kind: AdmissionSend}) },
	"Release (parked)":             func(d *Delivery) error { return d.Release(walkNow, walkDate, parkedAdmission) },
	"Release (blocked)":            func(d *Delivery) error { return d.Release(walkNow, walkDate, blockedAdmission) },
	"Release (expired)":            func(d *Delivery) error { return d.Release(walkNow, walkDate, expiredAdmission) },
	"Release (ended)":              func(d *Delivery) error { return d.Release(walkNow, walkDate, endedAdmission) },
	"TakeBack (made)":              takeBackTo(Delivery{}),
	"TakeBack (ended)":             takeBackTo(inState(StateFailed)),
	"TakeBack (waiting)":           takeBackTo(Delivery{State: StateRetrying, Reason: "http_503", Generation: 2, NextAttemptAt: walkDate, DispatchAt: walkDate}),
	"TakeBack (held)":              takeBackTo(Delivery{State: StateHeld, Reason: ReasonOperator, Generation: 1, ParkedAt: walkNow, HeldUntil: walkDate}),
	"Postpone":                     func(d *Delivery) error { d.Postpone(walkNow, walkDate, ReasonWaitingForSlot); return nil },
}

var (
	parkedAdmission  = Admission{Kind: AdmissionPark, State: StateHeld, Reason: ReasonSubscriptionUnverified, HoldFor: time.Hour}
	asideAdmission   = Admission{Kind: AdmissionPark, State: StateHeld, Reason: ReasonOperator, HoldFor: time.Hour}
	blockedAdmission = Admission{Kind: AdmissionPark, State: StateBlocked, Reason: ReasonEarlierDeliveryOpen, BlockedBy: "dlv_0", HoldFor: time.Hour}
	expiredAdmission = Admission{Kind: AdmissionEnd, State: StateFailed, Reason: ReasonExpired}
	endedAdmission   = Admission{Kind: AdmissionEnd, State: StateCancelled, Reason: ReasonSubscriptionDeleted}
)

func takeBackTo(before Delivery) func(*Delivery) error {
	before.AttemptsMade, before.PriorAttempts = 3, 1
	return func(d *Delivery) error {
		if d.State.HasNextAttempt() {
			d.DispatchAt = d.NextAttemptAt // as operations date it
		}
		d.TakeBack(walkNow, &before, false)
		return nil
	}
}

func recordOf(state State, generation int) func(*Delivery) error {
	return func(d *Delivery) error {
		decision := Decision{State: state}
		if state != StateDelivered {
			decision.Reason = "http_503"
		}
		d.Record(Record{Attempt: Attempt{Number: d.AttemptsMade + 1, At: walkNow}, Decision: decision, Generation: generation, TemporalRunID: "run"})
		return nil
	}
}

// inState is a delivery of the second generation in that state, as the schema allows it.
func inState(state State) Delivery {
	d := Delivery{ID: "dlv_1", State: state, Generation: 2, AttemptsMade: 3, PriorAttempts: 1, TemporalRunID: "run", CreatedAt: walkNow.Add(-time.Hour)}
	switch {
	case state == "":
		return Delivery{ID: "dlv_1"}
	case state.HasNextAttempt():
		d.NextAttemptAt, d.DispatchAt = walkNow, walkNow.Add(time.Minute)
	case state.Final():
		d.CompletedAt = walkNow.Add(-time.Minute)
	case state.Parked():
		d.ParkedAt, d.HeldUntil = walkNow.Add(-time.Minute), walkNow
		if state == StateBlocked {
			d.BlockedBy = "dlv_0"
		}
	}
	if state != StatePending && state != StateDelivered {
		d.Reason = "some reason"
	}
	return d
}

// TestStateMachine: the page and the methods say the same, in every state.
func TestStateMachine(t *testing.T) {
	t.Parallel()
	rows := readTransitions(t)
	for name, apply := range methods {
		for _, state := range append(States(), "") {
			if accepts := strings.HasPrefix(name, "Accept"); accepts != (state == "") {
				continue // only a new delivery is accepted
			}
			before := inState(state)
			after := before
			err := apply(&after)
			row, named := rowOf(rows, name, state)
			switch {
			case !named:
				if err != nil || after != before {
					t.Errorf("%s in state %s: %v, %+v; the page names no change", name, state, err, after)
				}
				continue
			case row.to == "conflict":
				if CodeOf(err) != CodeConflict || after != before {
					t.Errorf("%s in state %s: %v, %+v; want a conflict that changes nothing", name, state, err, after)
				}
				continue
			case err != nil:
				t.Errorf("%s in state %s: %v", name, state, err)
			}
			if want := State(row.to); row.to == "same" && after.State != state || row.to != "same" && after.State != want {
				t.Errorf("%s in state %s leads to %s; the page says %s", name, state, after.State, row.to)
			}
			dispatch := map[string]time.Time{
				"none": {}, "kept": before.DispatchAt, "now": walkNow, "grace": walkNow.Add(DispatchGrace), "its date": walkDate,
			}
			if want, known := dispatch[row.dispatch]; !known || !after.DispatchAt.Equal(want) {
				t.Errorf("%s in state %s: dispatched at %s; the page says %s", name, state, after.DispatchAt, row.dispatch)
			}
			checkInvariants(t, name, after)
		}
	}
	for _, row := range rows {
		if methods[row.name] == nil {
			t.Errorf("the page names %q, which the test does not know", row.name)
		}
	}
	for _, method := range exportedTransitions(t) {
		if !slices.ContainsFunc(rows, func(r transition) bool { return strings.Fields(r.name)[0] == method }) {
			t.Errorf("the page does not name the method %s", method)
		}
	}
}

// checkInvariants checks what the schema's constraints check.
func checkInvariants(t *testing.T, name string, d Delivery) {
	t.Helper()
	if d.State.Final() != !d.CompletedAt.IsZero() {
		t.Errorf("%s: %s, completed at %s", name, d.State, d.CompletedAt)
	}
	if d.State.HasNextAttempt() != !d.NextAttemptAt.IsZero() {
		t.Errorf("%s: %s, next attempt at %s", name, d.State, d.NextAttemptAt)
	}
	if needs := d.State != StatePending && d.State != StateDelivered; needs && d.Reason == "" {
		t.Errorf("%s: %s without a reason", name, d.State)
	}
	if parked := d.State.Parked(); parked == d.HeldUntil.IsZero() || parked == d.ParkedAt.IsZero() || (d.State == StateBlocked) == (d.BlockedBy == "") {
		t.Errorf("%s: %s, parked at %s until %s by %q", name, d.State, d.ParkedAt, d.HeldUntil, d.BlockedBy)
	}
	if !d.DispatchAt.IsZero() && !d.State.HasNextAttempt() && d.State != StateCancelled && d.State != StateHeld {
		t.Errorf("%s: %s, dispatched at %s", name, d.State, d.DispatchAt)
	}
	if d.Generation < 1 || d.PriorAttempts < 0 || d.AttemptsMade < d.PriorAttempts {
		t.Errorf("%s: generation %d, %d attempts, %d of them before", name, d.Generation, d.AttemptsMade, d.PriorAttempts)
	}
}

// TestDiagramOfStates: the diagram has an arrow for each change of state in the table, and no other.
func TestDiagramOfStates(t *testing.T) {
	t.Parallel()
	table, diagram := map[string]bool{}, map[string]bool{}
	for _, row := range readTransitions(t) {
		for _, from := range row.from {
			if row.to != "same" && row.to != "conflict" && row.to != from {
				table[strings.Replace(from, "new", "[*]", 1)+" --> "+row.to] = true
			}
		}
	}
	for _, line := range statePage(t) {
		if edge, _, found := strings.Cut(strings.TrimSpace(line), ":"); found && strings.Contains(edge, "-->") {
			diagram[edge] = true
		}
	}
	for edge := range table {
		if !diagram[edge] {
			t.Errorf("the diagram lacks %s", edge)
		}
	}
	for edge := range diagram {
		if !table[edge] {
			t.Errorf("the table lacks %s", edge)
		}
	}
}

func statePage(t *testing.T) []string {
	t.Helper()
	page, err := os.ReadFile("docs/state_machine.md")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(page), "\n")
}

// readTransitions reads the table of transitions.
func readTransitions(t *testing.T) []transition {
	t.Helper()
	var rows []transition
	for _, line := range statePage(t) {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == 6 && cells[0] != "transition" && !strings.HasPrefix(cells[0], "---") {
			for name := range strings.SplitSeq(cells[0], ", ") {
				rows = append(rows, transition{name: name, from: strings.Split(cells[2], ", "), to: cells[3], dispatch: cells[5]})
			}
		}
	}
	if len(rows) < 20 {
		t.Fatalf("read %d transitions only", len(rows))
	}
	return rows
}

func rowOf(rows []transition, name string, state State) (transition, bool) {
	from := string(state)
	if state == "" {
		from = "new"
	}
	i := slices.IndexFunc(rows, func(r transition) bool {
		return r.name == name && (slices.Contains(r.from, from) || slices.Contains(r.from, "any"))
	})
	if i < 0 {
		return transition{}, false
	}
	return rows[i], true
}

// exportedTransitions lists the exported methods of Delivery in lifecycle.go.
func exportedTransitions(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "lifecycle.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv == nil || !f.Name.IsExported() {
			continue
		}
		if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok && star.X.(*ast.Ident).Name == "Delivery" {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

// TestAnotherGeneration: the decisions for a generation have no effect on the next.
func TestAnotherGeneration(t *testing.T) {
	t.Parallel()
	for name, apply := range map[string]func(*Delivery){
		"StartNextGeneration": func(d *Delivery) { d.StartNextGeneration(walkNow, 1) },
		"Close":               func(d *Delivery) { d.Close(walkNow, 1, StateCancelled, ReasonTerminated) },
		"Hold":                func(d *Delivery) { d.Hold(walkNow, 1, parkedAdmission) },
		"Postpone":            func(d *Delivery) { d.Postpone(walkNow.Add(-time.Second), walkDate, ReasonWaitingForSlot) },
		"Reset":               func(d *Delivery) { d.Reset(walkNow, "run", false) },
	} {
		for _, state := range States() {
			before := inState(state)
			after := before
			if apply(&after); after != before {
				t.Errorf("%s in state %s: %+v", name, state, after)
			}
		}
	}
}

// TestCounts: an operator's retry and a release give all attempts of the policy again, and the
// reconciler's next generation does not.
func TestCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		state State
		apply func(*Delivery) error
		want  Delivery // generation, attempts, Temporal run
	}{
		"retry of a final one":     {StateFailed, methods["Retry"], Delivery{Generation: 3, AttemptsMade: 3, PriorAttempts: 3}},
		"retry of one that waits":  {StateRetrying, methods["Retry"], Delivery{Generation: 2, AttemptsMade: 3, PriorAttempts: 1, TemporalRunID: "run"}},
		"reset of a final one":     {StateDelivered, methods["Reset"], Delivery{Generation: 2, AttemptsMade: 3, PriorAttempts: 3, TemporalRunID: "reset"}},
		"reset of one that waits":  {StateRetrying, methods["Reset"], Delivery{Generation: 2, AttemptsMade: 3, PriorAttempts: 1, TemporalRunID: "reset"}},
		"release":                  {StateHeld, methods["Release"], Delivery{Generation: 3, AttemptsMade: 3, PriorAttempts: 1}},
		"next generation":          {StateRetrying, methods["StartNextGeneration"], Delivery{Generation: 3, AttemptsMade: 3, PriorAttempts: 1}},
		"attempt":                  {StateRetrying, methods["Record (retry)"], Delivery{Generation: 2, AttemptsMade: 4, PriorAttempts: 1, TemporalRunID: "run"}},
		"attempt, earlier":         {StateRetrying, methods["Record (earlier generation)"], Delivery{Generation: 2, AttemptsMade: 4, PriorAttempts: 2, TemporalRunID: "run"}},
		"attempt of a final one":   {StateCancelled, methods["Record (delivered)"], Delivery{Generation: 2, AttemptsMade: 4, PriorAttempts: 1, TemporalRunID: "run"}},
		"attempt, recorded before": {StateRetrying, recordAgain, Delivery{Generation: 2, AttemptsMade: 3, PriorAttempts: 1, TemporalRunID: "run"}},
	} {
		d := inState(c.state)
		if err := c.apply(&d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := (Delivery{Generation: d.Generation, AttemptsMade: d.AttemptsMade, PriorAttempts: d.PriorAttempts, TemporalRunID: d.TemporalRunID}); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func recordAgain(d *Delivery) error {
	d.Record(Record{Attempt: Attempt{Number: 2, At: walkNow}, Decision: Decision{State: StateRetrying, Reason: "dns"}, Generation: 2, TemporalRunID: "run"})
	return nil
}

// TestRecordDates: the next attempt and the end are dated from the end of the attempt.
func TestRecordDates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		decision        Decision
		next, completed time.Duration // after the attempt began; 0: no date
	}{
		"delivered": {Decision{State: StateDelivered}, 0, time.Second},
		"failed":    {Decision{State: StateFailed}, 0, time.Second},
		"retrying":  {Decision{State: StateRetrying, Wait: time.Minute}, time.Second + time.Minute, 0},
		"at once":   {Decision{State: StateRetrying}, time.Second, 0},
	} {
		r := Record{Attempt: Attempt{At: walkNow, Outcome: Outcome{Latency: time.Second + 999*time.Nanosecond}}, Decision: c.decision}
		next, completed := r.Dates()
		for what, date := range map[string]struct {
			got  time.Time
			want time.Duration
		}{"next attempt": {next, c.next}, "completed": {completed, c.completed}} {
			if want := walkNow.Add(date.want); date.want == 0 && !date.got.IsZero() || date.want != 0 && !date.got.Equal(want) {
				t.Errorf("%s: %s at %s, want %s after %s", name, what, date.got, date.want, walkNow)
			}
		}
	}
}

// TestStatesAreWrittenInTwoStatements: one saves what a method of the lifecycle changed, and the
// fast one is compared with it.
func TestStatesAreWrittenInTwoStatements(t *testing.T) {
	t.Parallel()
	writes := regexp.MustCompile(`(?s)UPDATE deliveries( d)?\s+SET [^;` + "`" + `"]*\bstate = `)
	var found []string
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if writes.Match(text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"store/delivery.go", "store/record_fast.go"}; !slices.Equal(found, want) {
		t.Errorf("states are written in %v, want only %v", found, want)
	}
}
