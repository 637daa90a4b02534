package switchboard

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

const testDay = 24 * time.Hour

// partitionsOf makes a week of partitions that are a day wide, those before and the tail.
func partitionsOf(t *testing.T, text string) []Partition {
	t.Helper()
	var partitions []Partition
	begin := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC) // a Monday
	for field := range strings.FieldsSeq(text) {
		// Such as "3-10:pruned": from day 3 to day 10. The first has no beginning, the last no end.
		var lo, hi int
		var stage PartitionStage
		bounds, name, _ := strings.Cut(field, ":")
		stage = PartitionStage(name)
		p := Partition{Stage: stage}
		from, to, _ := strings.Cut(bounds, "-")
		if from != "" {
			_, err := fmt.Sscan(from, &lo)
			if err != nil {
				t.Fatal(err)
			}
			p.Lo = begin.Add(time.Duration(lo) * testDay)
		}
		if to != "" {
			_, err := fmt.Sscan(to, &hi)
			if err != nil {
				t.Fatal(err)
			}
			p.Hi = begin.Add(time.Duration(hi) * testDay)
		}
		switch {
		case from == "":
			p.Suffix = "kept"
		case to == "":
			p.Suffix = "tail"
		default:
			p.Suffix = fmt.Sprint("p", lo)
		}
		partitions = append(partitions, p)
	}
	return partitions
}

func TestVisits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                        string
		delivered, failed, payloads int // days
		now                         float64
		partitions                  string
		want                        []string
	}{
		{"nothing is due", 30, 90, 0, 30.9, "-0:open 0-1:closed 1-2:closed 2-:open", nil},
		{"a day whose delivered are over", 30, 90, 0, 31, "-0:open 0-1:closed 1-2:closed 2-:open", []string{"p0 into p0 0-1 pruned"}},
		{"days of a week become one", 30, 90, 0, 33, "-0:open 0-1:closed 1-2:closed 2-3:closed 3-:open", []string{"p0+p1+p2 into p0 0-3 pruned"}},
		{"a day joins the days before", 30, 90, 0, 32, "-0:open 0-1:pruned 1-2:closed 2-:open", []string{"p0+p1 into p0 0-2 pruned"}},
		{"a week begins anew", 30, 90, 0, 38, "-0:open 0-7:pruned 7-8:closed 8-:open", []string{"p7 into p7 7-8 pruned"}},
		{"a gap is not bridged", 30, 90, 0, 33, "-0:open 0-1:pruned 2-3:closed 3-:open", []string{"p2 into p2 2-3 pruned"}},
		{"a pruned one is left alone", 30, 90, 0, 60, "-0:open 0-7:pruned 7-:open", nil},
		{"nothing that has ended is kept", 30, 30, 0, 31, "-0:open 0-1:closed 1-2:closed 2-:open", []string{"kept+p0 into kept -1 pruned"}},
		{"several days are folded together", 30, 30, 0, 32, "-0:pruned 0-1:closed 1-2:closed 2-:open", []string{"kept+p0+p1 into kept -2 pruned"}},
		{"failed ones leave too", 30, 90, 0, 97, "-0:pruned 0-7:pruned 7-14:pruned 14-:open", []string{"kept+p0 into kept -7 pruned"}},
		{"many days, many visits", 1, 1, 0, 60, "-0:open 0-1:closed 1-2:closed 2-3:closed 3-4:closed 4-5:closed 5-6:closed 6-7:closed 7-8:closed 8-9:closed 9-:open",
			[]string{"kept+p0+p1+p2+p3+p4+p5+p6 into kept -7 pruned", "kept+p7+p8 into kept -9 pruned"}},
		{"payloads before rows", 30, 90, 7, 8, "-0:open 0-1:closed 1-2:closed 2-:open", []string{"p0 into p0 0-1 erased"}},
		{"payloads are erased once", 30, 90, 7, 9, "-0:open 0-1:erased 1-2:closed 2-:open", []string{"p1 into p1 1-2 erased"}},
		{"payloads, delivered and failed at once", 2, 3, 1, 4, "-0:open 0-1:erased 1-2:erased 2-3:closed 3-4:closed 4-:open",
			[]string{"kept+p0 into kept -1 pruned", "p1 into p1 1-2 pruned", "p2 into p2 2-3 erased"}},
		{"the tail is never visited", 1, 1, 1, 100, "-0:open 0-:open", nil},
		{"weeks are pruned alone", 60, 90, 0, 81, "-0:open 0-7:closed 7-14:closed 14-21:closed 21-:open",
			[]string{"p0 into p0 0-7 pruned", "p7 into p7 7-14 pruned", "p14 into p14 14-21 pruned"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := Retention{Delivered: time.Duration(c.delivered) * testDay, Failed: time.Duration(c.failed) * testDay, Payloads: time.Duration(c.payloads) * testDay}
			begin := time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
			now := begin.Add(time.Duration(c.now * float64(testDay)))
			var got []string
			for _, v := range r.Visits(now, partitionsOf(t, c.partitions)) {
				lo := ""
				if !v.Lo.IsZero() {
					lo = fmt.Sprint(int(v.Lo.Sub(begin) / testDay))
				}
				got = append(got, fmt.Sprintf("%s into %s %s-%d %s", strings.Join(v.Parts, "+"), v.Into, lo, int(v.Hi.Sub(begin)/testDay), v.Stage))
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestPartitionWidth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ days, want int }{{1, 1}, {30, 1}, {45, 1}, {46, 7}, {90, 7}, {315, 7}, {316, 14}, {3650, 84}} {
		if got := (Retention{Delivered: time.Duration(c.days) * testDay}).PartitionWidth(); got != time.Duration(c.want)*testDay {
			t.Errorf("%d days of retention: width %v, want %d days", c.days, got, c.want)
		}
	}
}

func TestPartitionEnd(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		begins, want string
		days         int
	}{
		{"2026-11-28", "2026-11-29", 1}, // a Saturday
		{"2026-11-28", "2026-11-30", 7},
		{"2026-11-30", "2026-12-07", 7}, // a Monday
		{"2026-12-01", "2026-12-07", 7},
	} {
		begins, err := time.Parse(time.DateOnly, c.begins)
		if err != nil {
			t.Fatal(err)
		}
		if got := PartitionEnd(begins, time.Duration(c.days)*testDay).Format(time.DateOnly); got != c.want {
			t.Errorf("%s by %d days: got %s, want %s", c.begins, c.days, got, c.want)
		}
	}
}
