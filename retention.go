package switchboard

import (
	"errors"
	"time"
)

// ErrMaintenanceBusy is the error of maintenance that waits for its turn.
var ErrMaintenanceBusy = errors.New("another process changes partitions, erases or migrates: it has the advisory lock")

// ErrSwapDeferred is the error of a swap of partitions that did not get its locks at once.
// It is to be tried again a moment later.
var ErrSwapDeferred = errors.New("the locks of the swap were not free at once")

// Retention says how long Switchboard keeps what it did. Rows are kept for so long after
// their delivery ended, payloads after their event was accepted. An open delivery is kept
// until it ends, with its event and its attempts.
type Retention struct {
	Delivered time.Duration `json:"delivered"`         // rows of delivered deliveries
	Failed    time.Duration `json:"failed"`            // rows of failed and cancelled ones; at least Delivered
	Payloads  time.Duration `json:"payloads,omitzero"` // events' data, and headers and bodies of attempts; 0: as long as the rows
}

const (
	// maxDays is how many days of retention have a partition each. Planning and locks grow
	// with the number of partitions: measured, 46 cost 5 to 18 % of CPU and 106 about the
	// same, but at 406 Postgres runs out of locks. So about 50 are the most.
	maxDays = 45
	week    = 7 * day
	// maxMerged is how many partitions hold what is kept for longer than delivered
	// deliveries, which is a few percent of all.
	maxMerged = 10
	// maxVisits bounds one run of the workflow Retain. The next run, an hour later, goes on.
	maxVisits = 50
	// maxFolded is how many partitions are merged in one visit. Each adds to the time for which the
	// swap locks the tables. But after each swap every connection plans its statements anew, which
	// costs deliveries more: one partition a visit gave ten times the p99 of seven.
	maxFolded = 7
)

// PartitionWidth is how much time a new partition covers: a day for up to 45 days of
// retention, and whole weeks beyond.
func (r Retention) PartitionWidth() time.Duration {
	if r.Delivered <= maxDays*day {
		return day
	}
	return week * max(1, roundUp(r.Delivered, maxDays*week))
}

// mergedWidth is how much time one partition covers once its delivered deliveries are gone.
func (r Retention) mergedWidth() time.Duration {
	return max(r.PartitionWidth(), week*max(1, roundUp(r.Failed-r.Delivered, maxMerged*week)))
}

func roundUp(d, unit time.Duration) time.Duration { return (d + unit - 1) / unit }

// PartitionEnd is where a partition of that width ends that begins at a time. Partitions of
// weeks end on Mondays, whatever came before.
func PartitionEnd(begins time.Time, width time.Duration) time.Time {
	monday := time.Date(1970, 1, 5, 0, 0, 0, 0, time.UTC)
	return monday.Add((begins.Sub(monday)/width + 1) * width)
}

// PartitionStage is what was done to a partition last. The stages come in this order, and
// one whose setting is off is left out.
type PartitionStage string

// The stages of a partition.
const (
	PartitionOpen   PartitionStage = "open"   // made
	PartitionClosed PartitionStage = "closed" // its time is over, and it was vacuumed once
	PartitionErased PartitionStage = "erased" // the payloads of ended deliveries are gone
	PartitionPruned PartitionStage = "pruned" // delivered deliveries are gone as well
)

// Partition is a span of time in the tables of events, deliveries, attempts and actions.
type Partition struct {
	Suffix string         `json:"suffix"` // of the names of its tables
	Lo     time.Time      `json:"lo"`     // where it begins; zero: before everything
	Hi     time.Time      `json:"hi"`     // where it ends; zero: never
	Stage  PartitionStage `json:"stage"`
	At     time.Time      `json:"at"` // when that stage was reached, or last checked
}

// PartitionVisit replaces adjacent partitions by one, which holds only what is still to be
// kept: what is open, and what ended too short a time ago.
type PartitionVisit struct {
	Parts     []string       `json:"parts"` // suffixes of those that are replaced
	Into      string         `json:"into"`  // suffix of the one in their place
	Lo        time.Time      `json:"lo"`    // zero: before everything
	Hi        time.Time      `json:"hi"`
	Stage     PartitionStage `json:"stage"` // of the result: erased or pruned
	At        time.Time      `json:"at"`    // retention periods are counted back from it
	Retention Retention      `json:"retention"`
}

// Visits returns the visits that are due to the partitions, which are sorted by time. The
// first partition, without a beginning, holds what outlived its own partition.
func (r Retention) Visits(now time.Time, partitions []Partition) []PartitionVisit {
	var visits []PartitionVisit
	var merging Partition // what the next pruned one may be merged with
	for _, p := range partitions {
		last := len(visits) - 1
		switch {
		case p.Hi.IsZero():
		case p.Lo.IsZero():
			merging = p
			continue
		case !p.Hi.Add(r.Failed).After(now): // nothing that has ended is kept
			if last < 0 || len(visits[last].Parts) > maxFolded {
				visits = append(visits, r.visit(now, merging, PartitionPruned))
				last++
			}
			visits[last].Parts, visits[last].Hi = append(visits[last].Parts, p.Suffix), p.Hi
			merging.Hi = p.Hi
			continue
		case p.Stage == PartitionPruned:
			merging = p
			continue
		case !p.Hi.Add(r.Delivered).After(now):
			if merging.Lo.IsZero() || merging.Hi != p.Lo || p.Hi.After(PartitionEnd(merging.Lo, r.mergedWidth())) {
				visits, merging = append(visits, r.visit(now, p, PartitionPruned)), p
				continue
			}
			if last < 0 || visits[last].Into != merging.Suffix || len(visits[last].Parts) > maxFolded {
				visits = append(visits, r.visit(now, merging, PartitionPruned))
				last++
			}
			visits[last].Parts, visits[last].Hi = append(visits[last].Parts, p.Suffix), p.Hi
			merging.Hi = p.Hi
			continue
		case r.Payloads > 0 && !p.Hi.Add(r.Payloads).After(now) && p.Stage != PartitionErased:
			visits = append(visits, r.visit(now, p, PartitionErased))
		}
		merging = Partition{}
	}
	return visits[:min(len(visits), maxVisits)]
}

func (r Retention) visit(now time.Time, p Partition, stage PartitionStage) PartitionVisit {
	return PartitionVisit{Parts: []string{p.Suffix}, Into: p.Suffix, Lo: p.Lo, Hi: p.Hi, Stage: stage, At: now, Retention: r}
}

// ErasedBefore is the time before which the visits erase: what is older cannot be retried.
func ErasedBefore(visits []PartitionVisit) time.Time {
	var until time.Time
	for _, v := range visits {
		if v.Hi.After(until) {
			until = v.Hi
		}
	}
	return until
}

// RetentionStep is what one step of the workflow Retain did.
type RetentionStep struct {
	Step       string   `json:"step"`
	Partitions []string `json:"partitions,omitempty"` // that it changed
	Rows       int64    `json:"rows,omitempty"`       // that it removed, emptied or kept, as the step says
	Note       string   `json:"note,omitempty"`
}

// RetentionStatus is the state of the partitions, for metrics and readiness.
type RetentionStatus struct {
	DaysAhead   float64   // for how many days from now partitions exist
	TailRows    int       // deliveries beyond the last of them, up to a thousand
	Oldest      time.Time // where the oldest partition begins
	LastSuccess time.Time // when the workflow Retain last did all of its steps; zero: never
}
