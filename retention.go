package switchboard

import (
	"errors"
	"time"
)

// ErrMaintenanceBusy is the error of maintenance that has to wait for its turn.
var ErrMaintenanceBusy = errors.New("another process changes partitions, erases or migrates: it has the advisory lock")

// ErrSwapDeferred is the error of a swap of partitions that did not get its locks at once. It must
// be tried again soon.
var ErrSwapDeferred = errors.New("the locks of the swap were not free at once")

// Retention is how long Switchboard keeps its data: rows from the end of their delivery, payloads
// from the acceptance of their event. An open delivery is kept until it ends, with its event and
// its attempts.
type Retention struct {
	Delivered time.Duration `json:"delivered"`         // rows of delivered deliveries
	Failed    time.Duration `json:"failed"`            // rows of failed and cancelled ones; at least Delivered
	Payloads  time.Duration `json:"payloads,omitzero"` // events' data, and headers and bodies of attempts; 0: as long as the rows
}

const (
	// maxDays is how many days of retention have a partition each. Planning and locks grow with the
	// number of partitions. Measured, 46 cost 5 to 18 % of CPU and 106 about the same, but at 406
	// Postgres runs out of locks. So there are at most about 50.
	maxDays = 45
	week    = 7 * day
	// maxMerged is how many partitions hold rows that are kept for longer than delivered
	// deliveries, which are a few percent of all.
	maxMerged = 10
	// maxVisits bounds one run of the workflow Retain. The next run, an hour later, continues.
	maxVisits = 50
	// maxFolded is how many partitions are merged in one visit. Each lengthens the time for which
	// the swap locks the tables. But after each swap every connection plans its statements again,
	// which costs deliveries more: with one partition a visit, the p99 was ten times that with
	// seven.
	maxFolded = 7
)

// PartitionWidth returns the time that a new partition covers: a day for up to 45 days of
// retention, and whole weeks beyond.
func (r Retention) PartitionWidth() time.Duration {
	if r.Delivered <= maxDays*day {
		return day
	}
	return week * max(1, roundUp(r.Delivered, maxDays*week))
}

// mergedWidth returns the time that one partition covers after its delivered deliveries are
// deleted.
func (r Retention) mergedWidth() time.Duration {
	return max(r.PartitionWidth(), week*max(1, roundUp(r.Failed-r.Delivered, maxMerged*week)))
}

func roundUp(d, unit time.Duration) time.Duration { return (d + unit - 1) / unit }

// PartitionEnd returns where a partition of that width ends if it begins at that time. Partitions
// of weeks end on Mondays, whatever came before.
func PartitionEnd(begins time.Time, width time.Duration) time.Time {
	monday := time.Date(1970, 1, 5, 0, 0, 0, 0, time.UTC)
	return monday.Add((begins.Sub(monday)/width + 1) * width)
}

// PartitionStage is the last thing that was done to a partition. The stages come in this order; a
// stage whose setting is off is left out.
type PartitionStage string

// The stages of a partition.
const (
	PartitionOpen   PartitionStage = "open"   // made
	PartitionClosed PartitionStage = "closed" // its time is over, and it was vacuumed once
	PartitionErased PartitionStage = "erased" // the payloads of ended deliveries are erased
	PartitionPruned PartitionStage = "pruned" // delivered deliveries are deleted as well
)

// Partition is a span of time in the tables of events, deliveries, attempts and actions.
type Partition struct {
	Suffix string         `json:"suffix"` // of its tables' names
	Lo     time.Time      `json:"lo"`     // where it begins; zero: before everything
	Hi     time.Time      `json:"hi"`     // where it ends; zero: never
	Stage  PartitionStage `json:"stage"`
	At     time.Time      `json:"at"` // when that stage was reached, or last checked
}

// PartitionVisit replaces adjacent partitions by one, which has only the rows to keep: open
// deliveries, and those that ended recently enough.
type PartitionVisit struct {
	Parts     []string       `json:"parts"` // suffixes of the replaced partitions
	Into      string         `json:"into"`  // suffix of the new partition
	Lo        time.Time      `json:"lo"`    // zero: before everything
	Hi        time.Time      `json:"hi"`
	Stage     PartitionStage `json:"stage"` // of the result: erased or pruned
	At        time.Time      `json:"at"`    // the time from which retention periods are counted back
	Retention Retention      `json:"retention"`
}

// Visits returns the due visits to the partitions, which are sorted by time. The first partition,
// without a beginning, has the rows that outlived their own partition.
func (r Retention) Visits(now time.Time, partitions []Partition) []PartitionVisit {
	var visits []PartitionVisit
	var merging Partition // with which the next pruned one may be merged
	for _, p := range partitions {
		last := len(visits) - 1
		switch {
		case p.Hi.IsZero():
		case p.Lo.IsZero():
			merging = p
			continue
		case !p.Hi.Add(r.Failed).After(now): // no ended delivery is kept
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

// ErasedBefore returns the time before which the visits erase. Older deliveries cannot be retried.
func ErasedBefore(visits []PartitionVisit) time.Time {
	var until time.Time
	for _, v := range visits {
		if v.Hi.After(until) {
			until = v.Hi
		}
	}
	return until
}

// RetentionStep is the result of one step of the workflow Retain.
type RetentionStep struct {
	Step       string   `json:"step"`
	Partitions []string `json:"partitions,omitempty"` // that the step changed
	Rows       int64    `json:"rows,omitempty"`       // deleted, emptied or kept, depending on the step
	Note       string   `json:"note,omitempty"`
}

// RetentionStatus is the state of the partitions, for metrics and readiness.
type RetentionStatus struct {
	DaysAhead   float64   // for how many days from now partitions exist
	TailRows    int       // deliveries after the last of them, up to a thousand
	Oldest      time.Time // where the oldest partition begins
	LastSuccess time.Time // when the workflow Retain last did all of its steps; zero: never
}
