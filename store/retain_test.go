package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
)

const testDay = 24 * time.Hour

// archive is a database with partitions of the past and generated deliveries in them. Its
// clock begins on the day of the migration, because the partitions do.
type archive struct {
	*bundle
	first time.Time // midnight of that day
	rows  map[string]*generated
}

// generated is a delivery that a test made.
type generated struct {
	id, event, tenant, state string
	createdAt, endedAt       time.Time // endedAt is zero while it is open
	attempts                 int
	eventAt                  time.Time // zero: the event was accepted with the delivery
}

func setupArchive(t *testing.T, days int) *archive {
	t.Helper()
	a := &archive{bundle: setup(t), rows: map[string]*generated{}}
	a.first = begin().Truncate(testDay)
	a.at(a.first.Add(12 * time.Hour))
	for day := 0; day <= days; day += 7 {
		a.at(a.first.Add(time.Duration(day)*testDay + 12*time.Hour))
		_, err := a.MakePartitionsAhead(t.Context(), switchboard.Retention{})
		must(t, err)
	}
	a.at(a.first.Add(time.Duration(days)*testDay + 12*time.Hour))
	_, err := a.MakePartitionsAhead(t.Context(), switchboard.Retention{})
	must(t, err)
	return a
}

func (a *archive) at(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = now
}

// add makes a delivery of that state with its event, attempts and an action.
func (a *archive) add(g generated) *generated {
	a.t.Helper()
	g.createdAt = g.createdAt.Truncate(time.Microsecond)
	g.id = switchboard.NewID(switchboard.DeliveryPrefix, g.createdAt)
	if g.tenant == "" {
		g.tenant = "acme"
	}
	eventAt := g.createdAt
	if g.event == "" {
		g.event = switchboard.NewID("platform-", g.createdAt)
		a.exec("INSERT INTO events (id, tenant, type, key, created_at, occurred_at, data) VALUES ($1, $2, 'ticket.created', '', $3, $3, $4)",
			g.event, g.tenant, g.createdAt, "payload of "+g.event)
		a.exec("INSERT INTO event_ids (name, created_at, content) VALUES (encode(substring(sha256(convert_to($1, 'UTF8') || '\\x00'::bytea || convert_to($2, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid, $3, 'content')",
			g.tenant, g.event, g.createdAt)
	} else {
		eventAt = g.eventAt
	}
	var next, ended, other sql.NullTime
	reason := ""
	switch g.state {
	case "pending", "retrying":
		next = sql.NullTime{Time: g.createdAt.Add(time.Hour), Valid: true}
	case "delivered":
		ended = sql.NullTime{Time: g.endedAt, Valid: true}
	case "failed", "cancelled":
		ended, reason = sql.NullTime{Time: g.endedAt, Valid: true}, "operator"
	default:
		reason = "subscription_unverified"
	}
	if !eventAt.Equal(g.createdAt) {
		other = sql.NullTime{Time: eventAt, Valid: true}
	}
	if g.attempts == 0 && g.state != "pending" && g.state != "held" {
		g.attempts = 2
	}
	parkedAt, heldUntil := sql.NullTime{Time: g.createdAt, Valid: g.state == "held"}, sql.NullTime{Time: g.createdAt.Add(90 * testDay), Valid: g.state == "held"}
	a.exec(`INSERT INTO deliveries (id, tenant, state, reason, attempts_made, next_attempt_at, event_type, host, method, created_at, completed_at, event_id, subscription_id, event_at, parked_at, held_until)
VALUES ($1, $2, $3, $4, $5, $6, 'ticket.created', 'receiver.example', 'POST', $7, $8, $9, 'sub_1', $10, $11, $12)`,
		g.id, g.tenant, g.state, reason, g.attempts, next, g.createdAt, ended, g.event, other, parkedAt, heldUntil)
	for number := 1; number <= g.attempts; number++ {
		a.addAttempt(g.id, number, g.createdAt)
	}
	a.exec("INSERT INTO actions (id, delivery_id, at, actor, action, reason) VALUES ($1, $2, $3, 'cli', 'retry', 'because')", switchboard.NewID(switchboard.ActionPrefix, g.createdAt), g.id, g.createdAt)
	a.rows[g.id] = &g
	return &g
}

func (a *archive) addAttempt(delivery string, number int, at time.Time) {
	a.t.Helper()
	a.exec(`INSERT INTO attempts (id, delivery_id, number, generation, at, status_code, failure, detail, latency_us, timeout_us, retry_after_us, method, url, request_headers, request_bytes, response_headers, response_truncated, response_body)
VALUES ($1, $2, $3, 1, $4, 500, 'http_5xx', 'detail', 1, 1, 0, 'POST', 'https://receiver.example:8443/hook?of=somebody', '{"A": "request"}', 1, '{"B": "response"}', false, 'answer')`,
		switchboard.NewID(switchboard.AttemptPrefix, at), delivery, number, at)
}

func (a *archive) exec(query string, args ...any) {
	a.t.Helper()
	if _, err := a.sql.Exec(query, args...); err != nil {
		a.t.Fatalf("%v (%s)", err, query)
	}
}

// fill makes deliveries of every state on each of the days, some of which ended days later.
func (a *archive) fill(days int) {
	a.t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for day := range days {
		for _, state := range []string{"delivered", "delivered", "failed", "cancelled", "held", "retrying", "pending"} {
			created := a.first.Add(time.Duration(day)*testDay + time.Duration(random.IntN(86_400_000))*time.Millisecond)
			ended := created.Add(time.Duration(random.IntN(int(3 * testDay))))
			if ended.After(a.clock()) {
				ended = a.clock()
			}
			if !switchboard.State(state).Final() {
				ended = time.Time{}
			}
			g := a.add(generated{state: state, createdAt: created, endedAt: ended})
			if day%3 == 0 && state == "failed" { // a second delivery of the event, which is open
				a.add(generated{state: "held", createdAt: created, event: g.event, eventAt: created})
			}
			if day%4 == 0 && state == "delivered" && created.Add(5*testDay).Before(a.clock()) { // a delivery that was made again later
				a.add(generated{state: "retrying", createdAt: created.Add(5 * testDay), event: g.event, eventAt: created})
			}
		}
	}
}

// retain does what the workflow Retain does.
func (a *archive) retain(r switchboard.Retention) {
	a.t.Helper()
	ctx := a.t.Context()
	_, err := a.MakePartitionsAhead(ctx, r)
	must(a.t, err)
	_, err = a.ClosePartitions(ctx)
	must(a.t, err)
	visits, err := a.PlanVisits(ctx, r)
	must(a.t, err)
	for _, v := range visits {
		_, err := a.Stage(ctx, v)
		must(a.t, err)
		a.swap(v)
		_, err = a.DropReplaced(ctx)
		must(a.t, err)
	}
	for more := true; more; {
		_, more, err = a.PruneSurvivors(ctx, r)
		must(a.t, err)
	}
}

// swap swaps until it gets its locks.
func (a *archive) swap(v switchboard.PartitionVisit) {
	a.t.Helper()
	for range 1000 {
		done, _, err := a.Swap(a.t.Context(), v)
		if errors.Is(err, switchboard.ErrSwapDeferred) {
			continue
		}
		must(a.t, err)
		if !done {
			a.t.Fatalf("there is no stage of %v", v.Parts)
		}
		return
	}
	a.t.Fatalf("the locks were never free for %v", v.Parts)
}

// check compares the stored rows with those that the rule keeps.
func (a *archive) check(r switchboard.Retention) {
	a.t.Helper()
	now := a.clock()
	var stored []struct {
		ID, State         string
		Attempts, Actions int
		Payloads          int // attempts that have one
		Data              string
	}
	must(a.t, a.sql.Select(&stored, `
SELECT d.id, d.state, (SELECT count(*) FROM attempts a WHERE a.delivery_id = d.id) AS attempts, (SELECT count(*) FROM actions a WHERE a.delivery_id = d.id) AS actions,
	(SELECT count(*) FROM attempts a WHERE a.delivery_id = d.id AND response_body <> '' AND request_headers <> '{}' AND url LIKE '%somebody') AS payloads,
	convert_from(e.data, 'UTF8') AS data
FROM deliveries d JOIN events e ON e.created_at = coalesce(d.event_at, d.created_at) AND e.id = d.event_id AND e.tenant = d.tenant`))
	found := map[string]bool{}
	for _, s := range stored {
		found[s.ID] = true
		g := a.rows[s.ID]
		if g == nil {
			a.t.Errorf("an unknown delivery %s", s.ID)
			continue
		}
		if s.Attempts != g.attempts || s.Actions != 1 {
			a.t.Errorf("%s of %s: %d attempts of %d, %d actions", s.State, g.createdAt, s.Attempts, g.attempts, s.Actions)
		}
		open := g.endedAt.IsZero()
		if open && (s.Payloads != g.attempts || s.Data != "payload of "+g.event) {
			a.t.Errorf("the open %s of %s lost its payload: %d of %d attempts, data %q", s.State, g.createdAt, s.Payloads, g.attempts, s.Data)
		}
		kept := r.Delivered
		if s.State != "delivered" {
			kept = r.Failed
		}
		if over := g.endedAt.Add(kept); !open && over.Before(now) && !g.createdAt.Truncate(testDay).Add(testDay).Add(kept).After(now.Add(-7*testDay)) {
			a.t.Errorf("the %s of %s is kept though its time is over", s.State, g.createdAt)
		}
		if r.Payloads > 0 && !open && !g.createdAt.Truncate(testDay).Add(testDay).Add(r.Payloads).After(now) && s.Payloads > 0 {
			a.t.Errorf("the %s of %s has its payload", s.State, g.createdAt)
		}
		if r.Payloads == 0 && s.Data == "" {
			a.t.Errorf("the %s of %s has lost its data", s.State, g.createdAt)
		}
	}
	for id, g := range a.rows {
		kept := r.Delivered
		if g.state != "delivered" {
			kept = r.Failed
		}
		if (g.endedAt.IsZero() || g.endedAt.Add(kept).After(now)) && !found[id] {
			a.t.Errorf("the %s of %s that ended at %v is lost", g.state, g.createdAt, g.endedAt)
		}
	}
	for what, query := range map[string]string{
		"attempts without a delivery": "SELECT id FROM attempts a WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.id = a.delivery_id)",
		"actions without a delivery":  "SELECT id FROM actions a WHERE NOT EXISTS (SELECT FROM deliveries d WHERE d.id = a.delivery_id)",
		"tables left behind":          "SELECT relname FROM pg_class WHERE relkind = 'r' AND (relname ~ '_(next|gone_.*)$' OR relname = 'staged_open')",
		"indexes with a stage's name": "SELECT relname FROM pg_class WHERE relkind = 'i' AND relname ~ '^(events|deliveries|attempts|actions)_next_'",
	} {
		var found []string
		must(a.t, a.sql.Select(&found, query))
		if len(found) > 0 {
			a.t.Errorf("%s: %v", what, found)
		}
	}
	a.checkPartitions()
}

// checkPartitions compares the bookkeeping with Postgres' own.
func (a *archive) checkPartitions() {
	a.t.Helper()
	partitions, err := a.Partitions(a.t.Context())
	must(a.t, err)
	for i, p := range partitions {
		if i > 0 && !partitions[i-1].Hi.Equal(p.Lo) {
			a.t.Errorf("a gap before %s: %v, %v", p.Suffix, partitions[i-1].Hi, p.Lo)
		}
		for _, table := range []string{"events", "deliveries", "attempts", "actions"} {
			var attached bool
			must(a.t, a.sql.Get(&attached, "SELECT coalesce((SELECT relispartition FROM pg_class WHERE oid = to_regclass($1)), false)", table+"_"+p.Suffix))
			if !attached {
				a.t.Errorf("%s_%s is no partition", table, p.Suffix)
			}
		}
	}
	var tables int
	must(a.t, a.sql.Get(&tables, "SELECT count(*) FROM pg_inherits WHERE inhparent = 'events'::regclass"))
	equal(a.t, "partitions", tables, len(partitions))
}

func TestRetentionKeepsWhatItMust(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                        string
		delivered, failed, payloads int
	}{
		{"all leave together", 3, 3, 3},
		{"payloads leave first, failed last", 3, 5, 1},
		{"payloads stay", 2, 5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := switchboard.Retention{Delivered: time.Duration(c.delivered) * testDay, Failed: time.Duration(c.failed) * testDay, Payloads: time.Duration(c.payloads) * testDay}
			a := setupArchive(t, 8)
			a.fill(8)
			a.retain(r)
			a.check(r)
			for range 2 { // day by day, while partitions are merged
				a.at(a.clock().Add(testDay))
				a.retain(r)
			}
			a.check(r)
		})
	}
}

// Deliveries that survived a visit because they were open are deleted when their time is over.
func TestRetentionOfSurvivors(t *testing.T) {
	t.Parallel()
	r := switchboard.Retention{Delivered: 3 * testDay, Failed: 5 * testDay, Payloads: 2 * testDay}
	a := setupArchive(t, 8)
	a.fill(8)
	a.retain(r)
	a.exec("UPDATE deliveries SET state = 'cancelled', reason = 'operator', next_attempt_at = NULL, completed_at = $1, parked_at = NULL, held_until = NULL WHERE completed_at IS NULL", a.clock())
	for _, g := range a.rows {
		if g.endedAt.IsZero() {
			g.state, g.endedAt = "cancelled", a.clock()
		}
	}
	a.at(a.clock().Add(testDay))
	a.retain(r)
	a.check(r)
	a.at(a.clock().Add(8 * testDay))
	a.retain(r)
	a.check(r)
	var left int
	must(t, a.sql.Get(&left, "SELECT (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM events) + (SELECT count(*) FROM attempts)"))
	equal(t, "rows that are left", left, 0)
}

// Every step may be repeated, and leftovers of a crash are no obstacle: each visit is interrupted
// at another place.
func TestRetentionAfterACrash(t *testing.T) {
	t.Parallel()
	r := switchboard.Retention{Delivered: 2 * testDay, Failed: 4 * testDay, Payloads: testDay}
	ctx := t.Context()
	a := setupArchive(t, 6)
	a.fill(6)
	stage := func(v switchboard.PartitionVisit) {
		t.Helper()
		_, err := a.Stage(ctx, v)
		must(t, err)
	}
	drop := func() {
		t.Helper()
		_, err := a.DropReplaced(ctx)
		must(t, err)
	}
	crashes := []func(v switchboard.PartitionVisit){
		func(v switchboard.PartitionVisit) { // within the stage
			stage(v)
			a.exec("COMMENT ON TABLE staged_open IS NULL") // what it does last
			done, _, err := a.Swap(ctx, v)
			must(t, err)
			equal(t, "an incomplete stage is swapped in", done, false)
		},
		func(v switchboard.PartitionVisit) { // after the stage
			stage(v)
			stage(v)
		},
		func(v switchboard.PartitionVisit) { // after the swap, whose result was lost
			stage(v)
			a.swap(v)
			a.swap(v)
			drop()
		},
		func(v switchboard.PartitionVisit) { // after the drop
			stage(v)
			a.swap(v)
			drop()
			drop()
		},
	}
	for i := range 2 * len(crashes) {
		visits, err := a.PlanVisits(ctx, r)
		must(t, err)
		if len(visits) == 0 {
			break
		}
		crashes[i%len(crashes)](visits[0])
	}
	a.retain(r)
	a.check(r)
}

// churnPace is how often each of the goroutines that change deliveries does so while these are
// moved. More would only make the partitions larger.
const churnPace = 10 * time.Millisecond

// Attempts of old open deliveries are recorded while their partitions are replaced: nothing is
// lost, whether or not an attempt ends its delivery.
func TestRetentionLosesNothingThatChangesMeanwhile(t *testing.T) {
	t.Parallel()
	r := switchboard.Retention{Delivered: 3 * testDay, Failed: 5 * testDay, Payloads: 2 * testDay}
	a := setupArchive(t, 8)
	a.fill(8)
	var open []*generated
	for _, g := range a.rows {
		if g.state == "retrying" || g.state == "pending" {
			open = append(open, g)
		}
	}
	slices.SortFunc(open, func(x, y *generated) int { return x.createdAt.Compare(y.createdAt) })
	ctx, stop := context.WithCancel(t.Context())
	var group sync.WaitGroup
	var recorded, mayEnd atomic.Int64
	for worker := range 4 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 3))
			for pace := time.NewTicker(churnPace); ctx.Err() == nil; <-pace.C {
				i := random.IntN(len(open)/4)*4 + worker
				if !open[i].endedAt.IsZero() {
					continue
				}
				ends := random.IntN(20) == 0 && mayEnd.Add(-1) >= 0
				if err := a.recordOne(open[i], ends); err != nil {
					t.Errorf("record: %v", err)
					return
				}
				recorded.Add(1)
			}
		})
	}
	for day := range int64(4) { // on each of which some attempts are recorded, and a few deliveries end
		mayEnd.Store(4)
		a.retain(r)
		eventually(t, "enough attempts are recorded meanwhile", func() bool { return recorded.Load() >= 25*(day+1) || t.Failed() })
		a.at(a.clock().Add(testDay))
	}
	stop()
	group.Wait()
	a.retain(r)
	a.check(r)
}

// recordOne records an attempt of an open delivery, as recording does: row and attempt in
// one transaction.
func (a *archive) recordOne(g *generated, ends bool) error {
	tx, err := a.sql.Beginx()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	now := a.clock()
	var ended sql.NullTime
	state, next := "retrying", sql.NullTime{Time: now.Add(time.Hour), Valid: true}
	if ends {
		state, next, ended = "delivered", sql.NullTime{}, sql.NullTime{Time: now, Valid: true}
	}
	result, err := tx.Exec("UPDATE deliveries SET state = $2, attempts_made = attempts_made + 1, next_attempt_at = $3, completed_at = $4 WHERE id = $1", g.id, state, next, ended)
	if err != nil {
		return err
	}
	if n, _ := result.RowsAffected(); n != 1 {
		return fmt.Errorf("the delivery of %s is gone", g.createdAt)
	}
	if _, err := tx.Exec(`INSERT INTO attempts (id, delivery_id, number, generation, at, status_code, failure, detail, latency_us, timeout_us, retry_after_us, method, url, request_headers, request_bytes, response_headers, response_truncated, response_body)
VALUES ($1, $2, $3, 1, $4, 500, 'http_5xx', 'detail', 1, 1, 0, 'POST', 'https://receiver.example:8443/hook?of=somebody', '{"A": "request"}', 1, '{"B": "response"}', false, 'answer')`,
		switchboard.NewID(switchboard.AttemptPrefix, now), g.id, g.attempts+1, now); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	g.attempts++
	if g.state = state; ends {
		g.endedAt = now
	}
	return nil
}

func TestMaintenanceTakesTurns(t *testing.T) {
	t.Parallel()
	a := setupArchive(t, 0)
	conn, err := a.sql.Connx(t.Context())
	must(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "SELECT pg_advisory_lock(4097083626)") // the lock of goose, which migrates
	must(t, err)
	if _, err := a.PlanVisits(t.Context(), switchboard.Retention{}); !errors.Is(err, switchboard.ErrMaintenanceBusy) {
		t.Errorf("while another migrates: %v", err)
	}
}
