package faults

import (
	"testing"
	"time"
)

func TestFlow(t *testing.T) {
	t.Parallel()
	ended := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	type event struct{ posted, took time.Duration } // after the end of the fault; took < 0: it has not arrived
	every := func(from, to, took time.Duration) (events []event) {
		for at := from; at <= to; at += 500 * time.Millisecond {
			events = append(events, event{at, took})
		}
		return events
	}
	for name, c := range map[string]struct {
		events  []event
		now     time.Duration
		after   time.Duration
		settled bool
	}{
		"nothing posted yet":                {nil, 0, 0, false},
		"in time from the start":            {every(0, 3*time.Second, time.Millisecond), 4 * time.Second, 0, true},
		"not for long enough":               {every(0, 2*time.Second, time.Millisecond), 4 * time.Second, 0, false},
		"what was posted before counts not": {append([]event{{-time.Second, time.Minute}}, every(0, 3*time.Second, time.Millisecond)...), 4 * time.Second, 0, true},
		"late, then in time":                {append(every(0, 2*time.Second, 3*time.Second), every(2500*time.Millisecond, 6*time.Second, time.Millisecond)...), 7 * time.Second, 2500 * time.Millisecond, true},
		"late in between":                   {append(append(every(0, 2*time.Second, time.Millisecond), event{2500 * time.Millisecond, 10 * time.Second}), every(3*time.Second, 6*time.Second, time.Millisecond)...), 20 * time.Second, 3 * time.Second, true},
		"one is missing for too long":       {append(every(0, 4*time.Second, time.Millisecond), event{4500 * time.Millisecond, -1}), 10 * time.Second, 0, false},
		"one may still come":                {append(every(0, 4*time.Second, time.Millisecond), event{4500 * time.Millisecond, -1}), 5 * time.Second, 0, true},
		"none arrives":                      {every(0, 5*time.Second, -1), 10 * time.Second, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var events []posted
			arrived := map[string]time.Time{}
			for i, e := range c.events {
				p := posted{id: string(rune('a' + i)), at: ended.Add(e.posted)}
				if e.took >= 0 {
					arrived[p.id] = p.at.Add(e.took)
				}
				events = append(events, p)
			}
			after, settled := flow(ended, ended.Add(c.now), events, func(id string) time.Time { return arrived[id] })
			if after != c.after || settled != c.settled {
				t.Errorf("after %s, settled %t; want %s, %t", after, settled, c.after, c.settled)
			}
		})
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	ended := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	seen := &arrivals{seen: map[string]*arrival{
		"once":    {first: ended.Add(-time.Second), requests: 1, good: 1},
		"late":    {first: ended.Add(4 * time.Second), requests: 2, good: 1},
		"thrice":  {first: ended, requests: 3, good: 3},
		"refused": {requests: 2},
	}}
	o := outcome{Fault: "f", ended: ended}
	for _, id := range []string{"once", "late", "thrice", "refused", "never"} {
		o.events = append(o.events, posted{id: id, accepted: ended})
	}
	o.events = append(o.events, posted{id: "not accepted"})
	o.count(seen)
	if o.Accepted != 5 || o.Delivered != 3 || o.Lost != 2 || o.Duplicates != 2 || o.All != 4 {
		t.Errorf("%+v", o)
	}
	if o.err() == nil {
		t.Error("what was lost is no error")
	}
	o.events = o.events[:3]
	o.count(seen)
	if err := o.err(); err != nil || o.Duplicates != 2 {
		t.Errorf("%v, %+v: duplicates alone are none", err, o)
	}
}

// TestNote: the answers, and what counts as a duplicate.
func TestNote(t *testing.T) {
	t.Parallel()
	seen := &arrivals{seen: map[string]*arrival{}}
	always, later := func(bool) bool { return true }, func(first bool) bool { return !first }
	for i, c := range []struct {
		event string
		good  func(bool) bool
		want  bool
	}{
		{"steady", always, true},
		{"steady", always, true},
		{"flaky", later, false},
		{"flaky", later, true},
	} {
		if got := seen.note(c.event, c.good); got != c.want {
			t.Errorf("request %d is taken: %t, want %t", i, got, c.want)
		}
	}
	if steady, flaky := seen.of("steady"), seen.of("flaky"); steady.good != 2 || flaky.good != 1 || flaky.requests != 2 || flaky.first.IsZero() {
		t.Errorf("%+v, %+v", steady, flaky)
	}
}
