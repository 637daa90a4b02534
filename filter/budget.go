package filter

// Budget is what matching filters against one event may still cost. Each element of a
// list that is looked at costs 1, and so does each condition that is matched against
// something inside a list; conditions outside of lists are free, because a filter has few.
// A regular expression costs by its size and the length of the text, a very long value by
// its length.
//
// What costs more than is left is skipped: no further element is looked at, a long text
// is not matched against a regular expression, a very long value is not compared. The
// conditions that this would have decided are [VerdictUndecided], and no others. Without a
// bound, a list of 100,000 numbers and 200 conditions takes seconds, while the events of
// other tenants wait.
type Budget struct {
	left   int // for the filter that is being matched
	all    int // for it and the filters that follow
	inside int // number of lists around what is being looked at
	shared *SharedBudget
}

// SharedBudget is what the filters of one tenant may cost for all of its events that are
// stored in one transaction. Other tenants' events wait for that transaction: if each
// event of a batch cost as much as one event may, the batch would not be stored in time.
type SharedBudget struct{ left int }

// NewSharedBudget returns the budget for that many events of one tenant.
func NewSharedBudget(events int) *SharedBudget {
	return &SharedBudget{left: max(maxPerEvent, events*maxPerSharedEvent)}
}

// ForEvent returns the budget of the next event.
func (s *SharedBudget) ForEvent() *Budget { return &Budget{all: min(maxPerEvent, s.left), shared: s} }

// NewBudget returns the budget of an event that is matched by itself. All filters of its
// tenant share it.
func NewBudget() *Budget { return NewSharedBudget(1).ForEvent() }

const (
	// maxPerFilter takes about ten milliseconds with lists, and ten times that with the
	// worst regular expressions. It covers an event of DefaultMaxData: one condition on as
	// many elements as fit, or a regular expression of 60 steps on one text of that length.
	maxPerFilter = 250_000
	// maxPerEvent is what all filters together may cost for one event, four of the most
	// expensive: otherwise it would grow with the number of the tenant's subscriptions.
	maxPerEvent = 4 * maxPerFilter
	// maxPerSharedEvent is what each of many events adds to a shared budget: a text of 1 KiB
	// and five regular expressions of 60 steps. A thousand such events take some tenths of
	// a second.
	maxPerSharedEvent = 5_000
)

// share gives the next filter its part of the budget.
func (b *Budget) share(match func() Verdict) Verdict {
	part := min(maxPerFilter, b.all)
	b.left = part
	defer func() {
		spent := part - b.left
		b.all -= spent
		b.shared.left -= spent
	}()
	return match()
}

// spend takes the cost and reports whether it was left. What costs too much takes
// nothing, and leaves the budget to what costs less.
func (b *Budget) spend(cost int) bool {
	if cost > b.left {
		return cost == 0
	}
	b.left -= cost
	return true
}

// spendCondition spends the cost of one condition and reports whether it was left.
func (b *Budget) spendCondition() bool { return b.inside == 0 || b.spend(1) }

// firstMatch returns the index of the first element that satisfies match, as far as the
// budget goes; -1 if none is known to.
func (b *Budget) firstMatch(list []any, match func(v any, budget *Budget) Verdict) (int, Verdict) {
	b.inside++
	defer func() { b.inside-- }()
	verdict := VerdictRejected
	for i, v := range list {
		if !b.spend(1) {
			return -1, VerdictUndecided
		}
		if verdict = max(verdict, match(v, b)); verdict == VerdictMatched {
			return i, VerdictMatched
		}
	}
	return -1, verdict
}
