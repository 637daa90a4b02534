package filter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// Finding is the result of one condition. An $or, a $not, and an object that is matched against a
// list have their own finding with the combined result, followed by the findings of the conditions
// in them.
type Finding struct {
	Condition string `json:"condition" doc:"Its path in the subscription" example:"filter.data.ticket.priority.$gte"`
	Path      string `json:"path" doc:"The part of the event that it checks" example:"data.ticket.priority"`
	Operator  string `json:"operator,omitempty" doc:"Left out if there is none" example:"$gte"`
	Wanted    string `json:"wanted,omitempty" doc:"As JSON, shortened if it is long" example:"3"`
	Found     string `json:"found,omitempty" doc:"As JSON, shortened if it is long; left out if there is no value" example:"2"`
	Holds     bool   `json:"holds"`
	Text      string `json:"text" doc:"The explanation in words" example:"data.ticket.priority is 2; it must be at least 3"`
	Undecided bool   `json:"undecided,omitempty" doc:"It is not known whether the condition holds: to check it exceeds the budget of a filter"`
}

// Redacted returns the finding without the value from the event's data. Everybody who may read the
// event may read its metadata.
func (f Finding) Redacted() Finding {
	if f.Found == "" || strings.HasPrefix(f.Path, "metadata.") {
		return f
	}
	if rest, shown := strings.CutPrefix(f.Text, f.Path+" is "+f.Found); shown {
		f.Text = f.Path + " is " + switchboard.Mask + rest
	}
	f.Found = switchboard.Mask
	return f
}

// Explain returns a finding for each condition, in the order of the document. It evaluates all of
// them, whereas [Filter.Match] stops as soon as the answer is known.
func (f Filter) Explain(e *switchboard.Event) []Finding {
	_, findings := f.explain(NewInput(e))
	return findings
}

// NewExplainBudget returns a budget for [Filter.Unmet]: that of one whole explanation.
func NewExplainBudget() *Budget { return &Budget{left: explainBudget} }

// Unmet returns the first condition, in the order of the document, that keeps the filter from
// matching, or nil if none is known. Several filters for one event share the budget.
func (f Filter) Unmet(in *Input, budget *Budget) (Verdict, *Finding) {
	if f.root == nil {
		return VerdictMatched, nil
	}
	verdict, findings := f.root.explain(in, "", budget)
	if verdict != VerdictRejected {
		return verdict, nil
	}
	for i := 0; i < len(findings); i++ {
		if one := &findings[i]; !one.Holds && !one.Undecided {
			return verdict, one
		}
		// If a condition holds, the conditions in it need not.
		for inside := findings[i].Condition; i+1 < len(findings) && isInside(findings[i+1].Condition, inside); i++ {
		}
	}
	return verdict, nil
}

// isInside reports whether the condition at one location is part of the condition at the other.
func isInside(location, outer string) bool {
	rest, found := strings.CutPrefix(location, outer)
	return found && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

func (f Filter) explain(in *Input) (Verdict, []Finding) {
	if f.root == nil {
		return VerdictMatched, nil
	}
	return f.root.explain(in, "", &Budget{left: explainBudget})
}

// Limits of an explanation.
const (
	maxCompared = 20 // elements of a list that are compared to find the closest one

	explainBudget = maxPerEvent // more than matching may cost, because everything is evaluated
	findingCost   = 100         // of each finding: it is written out
	// closestBudget must be left for the search for closest elements to continue: 20 elements of a
	// list, and 20 of each list in each, soon cost more than the whole explanation may.
	closestBudget = explainBudget / 2
)

// tooExpensive is the remark on conditions that the budget was too small for.
const tooExpensive = "not known: to look at it takes more than a filter may"

// finding starts the finding of the condition at that location.
func (b *Budget) finding(location, path string) Finding {
	b.spend(findingCost)
	return Finding{Condition: shortenMiddle(location), Path: path}
}

func (f *Finding) setVerdict(v Verdict) {
	f.Holds, f.Undecided = v == VerdictMatched, v == VerdictUndecided
}

func (c conjunction) explain(v any, path string, budget *Budget) (Verdict, []Finding) {
	if list, ok := v.([]any); ok && c.fields {
		return c.explainList(list, path, budget)
	}
	verdict := VerdictMatched
	var findings []Finding
	for _, part := range c.parts {
		one, of := part.explain(v, path, budget)
		verdict = min(verdict, one)
		findings = append(findings, of...)
	}
	return verdict, findings
}

// explainList explains the element that satisfies the object, or else the element that satisfies
// most of it.
func (c conjunction) explainList(list []any, path string, budget *Budget) (Verdict, []Finding) {
	head := budget.finding(c.location, path)
	head.Found = show(list)
	at, verdict := budget.firstMatch(list, c.match)
	head.setVerdict(verdict)
	var findings []Finding
	switch {
	case len(list) == 0:
		head.Text = path + " is an empty list: no element fulfils the conditions"
	case verdict == VerdictMatched:
		findings = c.explainElement(list[at], elementPath(path, at), budget)
		head.Text = fmt.Sprintf("%s is a list, whose element %d fulfils the conditions", path, at)
	case verdict == VerdictUndecided:
		head.Text = fmt.Sprintf("%s is a list of %d; whether one of them fulfils the conditions is %s", path, len(list), tooExpensive)
	default:
		at, findings = c.closest(list, path, budget)
		head.Text = fmt.Sprintf("%s is a list of %d, none of which fulfils all conditions; element %d comes closest", path, len(list), at)
	}
	return verdict, append([]Finding{head}, findings...)
}

// closest explains the element that satisfies the most conditions, among those for which the budget
// suffices. The first one is always explained.
func (c conjunction) closest(list []any, path string, budget *Budget) (at int, findings []Finding) {
	most := -1
	for i, element := range list[:min(len(list), maxCompared)] {
		if i > 0 && budget.left < closestBudget {
			break
		}
		of := c.explainElement(element, elementPath(path, i), budget)
		held := 0
		for _, f := range of {
			if f.Holds {
				held++
			}
		}
		if held > most {
			most, at, findings = held, i, of
		}
	}
	return at, findings
}

// explainElement explains an element of a list. It skips elements that are lists: nested lists
// would be searched again at each level.
func (c conjunction) explainElement(element any, path string, budget *Budget) []Finding {
	if _, ok := element.([]any); ok {
		return nil
	}
	_, findings := c.explain(element, path, budget)
	return findings
}

func (c disjunction) explain(v any, path string, budget *Budget) (Verdict, []Finding) {
	head := budget.finding(c.location, path)
	head.Operator = "$or"
	verdict, held := VerdictRejected, 0
	var findings []Finding
	for _, part := range c.parts {
		one, of := part.explain(v, path, budget)
		if verdict = max(verdict, one); one == VerdictMatched {
			held++
		}
		findings = append(findings, of...)
	}
	head.setVerdict(verdict)
	head.Text = fmt.Sprintf("%d of %d alternatives hold; one must", held, len(c.parts))
	if head.Undecided {
		head.Text = "no alternative is known to hold, and of one of them it is " + tooExpensive
	}
	return verdict, append([]Finding{head}, findings...)
}

func (c negation) explain(v any, path string, budget *Budget) (Verdict, []Finding) {
	inner, findings := c.part.explain(v, path, budget)
	head := budget.finding(c.location, path)
	head.Operator = "$not"
	head.setVerdict(inner.negated())
	switch inner {
	case VerdictMatched:
		head.Text = "the conditions in it hold, which they must not"
	case VerdictUndecided:
		head.Text = "whether the conditions in it hold is " + tooExpensive
	default:
		head.Text = "the conditions in it do not hold, as it asks"
	}
	return inner.negated(), append([]Finding{head}, findings...)
}

func (c fieldCondition) explain(v any, path string, budget *Budget) (Verdict, []Finding) {
	return c.part.explain(member(v, c.name), memberPath(path, c.name), budget)
}

func (c *comparison) explain(v any, path string, budget *Budget) (Verdict, []Finding) {
	verdict := c.match(v, budget)
	f := budget.finding(c.location, path)
	f.Operator, f.Wanted = c.name, switchboard.Clip(c.written, maxShown)
	f.setVerdict(verdict)
	is := "does not exist"
	if _, gone := v.(absent); !gone {
		f.Found = show(v)
		is = "is " + f.Found
	}
	remark := c.remark(v, f.Holds)
	if f.Undecided {
		remark = "; whether it does is " + tooExpensive
	}
	f.Text = fmt.Sprintf("%s %s; %s %s%s", path, is, c.subject(v), c.requirement(f.Wanted), remark)
	return verdict, []Finding{f}
}

// subject names what the requirement is about.
func (c *comparison) subject(v any) string {
	_, list := v.([]any)
	switch {
	case !list || c.presence:
		return "it"
	case c.none:
		return "it and all of its elements"
	}
	return "it or one of its elements"
}

// remark points out that values of different kinds never match, which people easily overlook.
func (c *comparison) remark(v any, holds bool) string {
	found, wanted := kind(v), c.kinds()
	if holds || c.presence || found == "" || found == "a list" || slices.Contains(wanted, found) {
		return ""
	}
	return fmt.Sprintf(" (%s is not compared with %s)", found, strings.Join(wanted, " or "))
}

// kinds names the kinds of the operand.
func (c *comparison) kinds() []string {
	if c.among == nil {
		return []string{kind(c.wanted)}
	}
	var kinds []string
	for wanted := range c.among {
		kinds = append(kinds, kind(wanted))
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// memberPath is the path of a member of the value at that path.
func memberPath(path, name string) string {
	if path != "" {
		path += "."
	}
	return shortenMiddle(path + shortenMiddle(name))
}

func elementPath(path string, i int) string {
	return shortenMiddle(path + "[" + strconv.Itoa(i) + "]")
}
