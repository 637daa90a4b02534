package switchboard

// Verdict is what holding a filter, or a part of it, against an event came to. The
// smallest of several verdicts is that of all of them together, the greatest that of
// one of them: that is Kleene's logic of three values.
type Verdict int8

// The verdicts.
const (
	VerdictRejected  Verdict = iota
	VerdictUndecided         // the effort was used up before the answer was known
	VerdictMatched
)

// Delivers reports whether the event goes to the subscription. One of which that is not
// known does: an event too many can be seen and explained, one that is lost cannot.
func (v Verdict) Delivers() bool { return v != VerdictRejected }

// opposite leaves open what is not known: $not of it is not known either.
func (v Verdict) opposite() Verdict { return VerdictMatched - v }

func verdictOf(holds bool) Verdict {
	if holds {
		return VerdictMatched
	}
	return VerdictRejected
}

// Effort is what holding filters against an event may still cost. An element of a list
// that is looked at costs one, and so does each condition that is held against something
// in it; outside of lists conditions cost nothing, as a filter has few. A regular
// expression costs by its size and the text's, and what is very long by its length.
//
// What takes more than is left is not done: no further element is looked at, a long text
// is not held against a regular expression, and what is very long is not compared. The
// conditions that this would have decided are [Undecided], and no others. Without a bound,
// a list of 100,000 numbers and 200 conditions takes seconds, while other tenants' events
// wait.
type Effort struct {
	left   int // for the filter that is held against the event
	all    int // for it and those that follow
	inside int // of how many lists what is looked at stands
	budget *Budget
}

// Budget is what the filters of one tenant may cost for all of its events that are stored
// together. Others wait for these, and a batch of which each event takes all that one may
// would never be stored in time.
type Budget struct{ left int }

// NewBudget is the budget for so many events of a tenant that are stored together.
func NewBudget(events int) *Budget { return &Budget{left: max(maxShared, events*eachTogether)} }

// Effort is the part of one event.
func (b *Budget) Effort() *Effort { return &Effort{all: min(maxShared, b.left), budget: b} }

const (
	// maxEffort, of one filter, takes some ten milliseconds of looking at lists, and ten
	// times of that where regular expressions are at their worst. It covers an event of
	// DefaultMaxData: one condition on as many elements as there is room for, or a
	// regular expression of 60 steps on one text as long as that.
	maxEffort = 250_000
	// maxShared is what all filters may take for one event, four of the longest: else it
	// would grow with the number of the tenant's subscriptions.
	maxShared = 4 * maxEffort
	// eachTogether is what all filters of a tenant may take for each of the events that are
	// stored together, if those take more than one event may: a text of 1 KiB and five
	// regular expressions of 60 steps. A thousand such events take some tenths of a second.
	eachTogether = 5_000
)

// NewEffort is the effort for one event by itself, which its tenant's filters share.
func NewEffort() *Effort { return NewBudget(1).Effort() }

// share gives the next filter its part.
func (e *Effort) share(filter func() Verdict) Verdict {
	part := min(maxEffort, e.all)
	e.left = part
	defer func() {
		spent := part - e.left
		e.all -= spent
		e.budget.left -= spent
	}()
	return filter()
}

// spend takes that much and reports whether it was left. What costs too much is not begun
// with, and leaves the effort to what costs less.
func (e *Effort) spend(cost int) bool {
	if cost > e.left {
		return cost == 0
	}
	e.left -= cost
	return true
}

// condition spends what it costs to begin with a condition.
func (e *Effort) condition() bool { return e.inside == 0 || e.spend(1) }

// first returns the place of the first element that fulfils f, as far as the effort
// goes; -1: none is known to.
func (e *Effort) first(list []any, f func(v any, left *Effort) Verdict) (int, Verdict) {
	e.inside++
	defer func() { e.inside-- }()
	verdict := VerdictRejected
	for i, v := range list {
		if !e.spend(1) {
			return -1, VerdictUndecided
		}
		if verdict = max(verdict, f(v, e)); verdict == VerdictMatched {
			return i, VerdictMatched
		}
	}
	return -1, verdict
}
