package filter

// Budget limits the cost of matching filters against one event. Each visited element of a
// list costs 1, and so does each condition that is matched against something inside a list.
// Conditions outside of lists are free, because a filter has few. The cost of a regular
// expression depends on its size and the length of the text, that of a very long value on
// its length.
//
// What costs more than the rest of the budget is skipped: further elements are not visited,
// a long text is not matched against a regular expression, a very long value is not
// compared. Only conditions that this would have decided are [VerdictUndecided]. Without a
// budget, a list of 100,000 numbers and 200 conditions take seconds, while the events of
// other tenants wait.
type Budget struct {
	left   int // for the current filter
	all    int // for the current filter and those that follow
	inside int // number of lists around the current value
	shared *SharedBudget
}

// SharedBudget limits the cost of the filters of one tenant for all of its events that are stored
// in one transaction. Other tenants' events wait for that transaction. If each event of a batch
// could cost as much as a single event may, the batch would not be stored in time.
type SharedBudget struct{ left int }

// NewSharedBudget returns the budget for that many events of one tenant.
func NewSharedBudget(events int) *SharedBudget {
	return &SharedBudget{left: max(maxPerEvent, events*maxPerSharedEvent)}
}

// ForEvent returns the budget of the next event.
func (s *SharedBudget) ForEvent() *Budget { return &Budget{all: min(maxPerEvent, s.left), shared: s} }

// NewBudget returns the budget of a single event. All filters of its tenant share it.
func NewBudget() *Budget { return NewSharedBudget(1).ForEvent() }

const (
	// maxPerFilter takes about ten milliseconds with lists, and ten times that with the worst
	// regular expressions. It is enough for an event of DefaultMaxData with one condition on as
	// many elements as fit, or with a regular expression of 60 steps on one text of that length.
	maxPerFilter = 250_000
	// maxPerEvent is the limit for all filters and one event: that of the four most expensive
	// filters. Otherwise the cost would grow with the number of the tenant's subscriptions.
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

// spend takes the cost from the budget and reports whether that much was left. If it was not, it
// takes nothing, so that cheaper steps can still use the rest.
func (b *Budget) spend(cost int) bool {
	if cost > b.left {
		return cost == 0
	}
	b.left -= cost
	return true
}

// spendCondition spends the cost of one condition and reports whether it was left.
func (b *Budget) spendCondition() bool { return b.inside == 0 || b.spend(1) }

// firstMatch returns the index of the first element that satisfies match, as far as the budget
// allows, or -1.
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
