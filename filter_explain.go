package switchboard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Finding is what one condition of a filter came to. Conditions of $or and $not,
// and of objects that meet a list, follow a finding of their own, which says what
// they come to together.
type Finding struct {
	Condition string `json:"condition"`          // its place in the filter, as in errors
	Path      string `json:"path"`               // what it looked at, as "data.ticket.priority"
	Operator  string `json:"operator,omitempty"` // empty: an object of fields that met a list
	Wanted    string `json:"wanted,omitempty"`   // as JSON, clipped; empty for $or and $not
	Found     string `json:"found,omitempty"`    // as JSON, clipped; empty: nothing is there
	Holds     bool   `json:"holds"`
	Text      string `json:"text"`                // all of it in words
	Undecided bool   `json:"undecided,omitempty"` // the effort was used up before it was known whether it holds
}

// Explain says of each condition of the filter, in the order in which they are
// written, whether the event fulfils it and what it found. It looks at all of them,
// where [Filter.Match] stops as soon as the answer is known.
func (f Filter) Explain(e *Event) []Finding {
	_, findings := f.explain(NewDocument(e))
	return findings
}

func (f Filter) explain(d *Document) (Verdict, []Finding) {
	if f.root == nil {
		return VerdictMatched, nil
	}
	return f.root.explain(d, "", &Effort{left: explainEffort})
}

// Bounds of an explanation.
const (
	maxShown    = 200 // bytes of a value
	maxPlace    = 200 // bytes of a path, or of a condition's place
	maxComparee = 20  // elements of a list that are looked through for the closest one

	explainEffort = maxShared // more than holding the filter, as it looks at all of it
	findingEffort = 100       // for each finding: it is written out
	// compareEffort is what is left for the answer where closest elements are looked
	// for: 20 of a list, and 20 of each list in each, are soon more than are explained.
	compareEffort = explainEffort / 2
)

// finding begins a finding of the condition at that place.
func (e *Effort) finding(place, path string) Finding {
	e.spend(findingEffort)
	return Finding{Condition: shortened(place), Path: path}
}

// record notes what the condition came to.
func (f *Finding) record(to Verdict) {
	f.Holds, f.Undecided = to == VerdictMatched, to == VerdictUndecided
}

// tooLong is said of what the effort does not suffice for.
const tooLong = "not known: to look at it takes more than a filter may"

func (c every) explain(v any, path string, left *Effort) (Verdict, []Finding) {
	if list, ok := v.([]any); ok && c.fields {
		return c.explainList(list, path, left)
	}
	verdict := VerdictMatched
	var findings []Finding
	for _, part := range c.parts {
		one, of := part.explain(v, path, left)
		verdict = min(verdict, one)
		findings = append(findings, of...)
	}
	return verdict, findings
}

// explainList explains the element that fulfils the object, or else the one that
// fulfils the most of it.
func (c every) explainList(list []any, path string, left *Effort) (Verdict, []Finding) {
	head := left.finding(c.place, path)
	head.Found = shown(list)
	at, verdict := left.first(list, c.holds)
	head.record(verdict)
	var findings []Finding
	switch {
	case len(list) == 0:
		head.Text = path + " is an empty list: no element fulfils the conditions"
	case verdict == VerdictMatched:
		findings = c.explainElement(list[at], elementPath(path, at), left)
		head.Text = fmt.Sprintf("%s is a list, whose element %d fulfils the conditions", path, at)
	case verdict == VerdictUndecided:
		head.Text = fmt.Sprintf("%s is a list of %d; whether one of them fulfils the conditions is %s", path, len(list), tooLong)
	default:
		at, findings = c.closest(list, path, left)
		head.Text = fmt.Sprintf("%s is a list of %d, none of which fulfils all conditions; element %d comes closest", path, len(list), at)
	}
	return verdict, append([]Finding{head}, findings...)
}

// closest compares elements as long as there is effort for it: the first of them is
// explained in any case.
func (c every) closest(list []any, path string, left *Effort) (at int, findings []Finding) {
	most := -1
	for i, element := range list[:min(len(list), maxComparee)] {
		if i > 0 && left.left < compareEffort {
			break
		}
		of := c.explainElement(element, elementPath(path, i), left)
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

// explainElement explains an element of a list. One that is a list itself is not gone
// into: lists in lists in lists would be looked through again at each level.
func (c every) explainElement(element any, path string, left *Effort) []Finding {
	if _, ok := element.([]any); ok {
		return nil
	}
	_, findings := c.explain(element, path, left)
	return findings
}

func (c either) explain(v any, path string, left *Effort) (Verdict, []Finding) {
	head := left.finding(c.place, path)
	head.Operator = "$or"
	verdict, held := VerdictRejected, 0
	var findings []Finding
	for _, part := range c.parts {
		one, of := part.explain(v, path, left)
		if verdict = max(verdict, one); one == VerdictMatched {
			held++
		}
		findings = append(findings, of...)
	}
	head.record(verdict)
	head.Text = fmt.Sprintf("%d of %d alternatives hold; one must", held, len(c.parts))
	if head.Undecided {
		head.Text = "no alternative is known to hold, and of one of them it is " + tooLong
	}
	return verdict, append([]Finding{head}, findings...)
}

func (c not) explain(v any, path string, left *Effort) (Verdict, []Finding) {
	inner, findings := c.part.explain(v, path, left)
	head := left.finding(c.place, path)
	head.Operator = "$not"
	head.record(inner.opposite())
	switch inner {
	case VerdictMatched:
		head.Text = "the conditions in it hold, which they must not"
	case VerdictUndecided:
		head.Text = "whether the conditions in it hold is " + tooLong
	default:
		head.Text = "the conditions in it do not hold, as it asks"
	}
	return inner.opposite(), append([]Finding{head}, findings...)
}

func (c named) explain(v any, path string, left *Effort) (Verdict, []Finding) {
	return c.part.explain(member(v, c.name), memberPath(path, c.name), left)
}

// memberPath is the path of that member of what stands at a path.
func memberPath(path, name string) string {
	if path != "" {
		path += "."
	}
	return shortened(path + shortened(name))
}

func (c comparison) explain(v any, path string, left *Effort) (Verdict, []Finding) {
	verdict := c.holds(v, left)
	f := left.finding(c.place, path)
	f.Operator, f.Wanted = c.operator, Clip(c.written, maxShown)
	f.record(verdict)
	is := "does not exist"
	if _, gone := v.(absent); !gone {
		f.Found = shown(v)
		is = "is " + f.Found
	}
	remark := c.remark(v, f.Holds)
	if f.Undecided {
		remark = "; whether it does is " + tooLong
	}
	f.Text = fmt.Sprintf("%s %s; %s %s%s", path, is, c.subject(v), c.requirement(f.Wanted), remark)
	return verdict, []Finding{f}
}

// subject is what the requirement is about.
func (c comparison) subject(v any) string {
	_, list := v.([]any)
	switch {
	case !list || c.operator == opExist:
		return "it"
	case c.operator == opNotEqual || c.operator == opNotIn:
		return "it and all of its elements"
	}
	return "it or one of its elements"
}

func (c comparison) requirement(wanted string) string {
	switch c.operator {
	case opNotEqual:
		return "must not be " + wanted
	case opGreater:
		return "must be greater than " + wanted
	case opGreaterEqual:
		return "must be at least " + wanted
	case opLess:
		return "must be less than " + wanted
	case opLessEqual:
		return "must be at most " + wanted
	case opIn:
		return "must be one of " + wanted
	case opNotIn:
		return "must be none of " + wanted
	case opStartsWith:
		return "must start with " + wanted
	case opEndsWith:
		return "must end with " + wanted
	case opRegex:
		return "must match the regular expression " + wanted
	case opExist:
		if c.wanted == false {
			return "must not exist"
		}
		return "must exist"
	}
	return "must be " + wanted
}

// remark names what is easily overlooked.
func (c comparison) remark(v any, holds bool) string {
	found, wanted := kind(v), c.kinds()
	if holds || c.operator == opExist || found == "" || found == "a list" || slices.Contains(wanted, found) {
		return ""
	}
	return fmt.Sprintf(" (%s is not compared with %s)", found, strings.Join(wanted, " or "))
}

// kinds names the kinds of what is wanted.
func (c comparison) kinds() []string {
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

// kind names the kind of a value; it is empty for one that is absent.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number, decimal:
		return "a number"
	case string, time.Time:
		return "a text"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return ""
}

func elementPath(path string, i int) string { return shortened(path + "[" + strconv.Itoa(i) + "]") }

// shortened leaves out the middle of a long path or place: every finding repeats it,
// and its ends tell more than that.
func shortened(path string) string {
	if len(path) <= maxPlace {
		return path
	}
	begin, end := maxPlace/2, len(path)-maxPlace/2
	for begin > 0 && !utf8.RuneStart(path[begin]) {
		begin--
	}
	for end < len(path) && !utf8.RuneStart(path[end]) {
		end++
	}
	return path[:begin] + "…" + path[end:]
}

// encode writes a value as JSON for people: <, > and & as they are.
func encode(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "" // no value of an event or filter
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// shown is a value as JSON, clipped. No more is written than is shown: every
// condition shows what it found, and that may be long.
func shown(v any) string {
	left := maxShown + utf8.UTFMax // a letter that is cut in two is not shown
	return Clip(encode(head(v, &left)), maxShown)
}

// head is the beginning of a value: as much of it as fills so many bytes of JSON.
func head(v any, left *int) any {
	*left--
	switch v := v.(type) {
	case string:
		return cut(v, left)
	case json.Number:
		return json.Number(cut(string(v), left))
	case []any:
		some := []any{}
		for i := 0; i < len(v) && *left > 0; i++ {
			some = append(some, head(v[i], left))
		}
		return some
	case map[string]any:
		some := map[string]any{}
		for _, name := range lowest(v, *left) { // as they are written
			if *left <= 0 {
				break
			}
			shown := maxShown + utf8.UTFMax // not cut to what is left: it would sort before others
			part := cut(name, &shown)
			*left -= len(part)
			some[part] = head(v[name], left)
		}
		return some
	}
	return v
}

// lowest returns the n names of an object that sort first, in order. It has n of them at
// hand at most: of thousands, a few are shown.
func lowest(object map[string]any, n int) []string {
	var names []string
	for name := range object {
		at, _ := slices.BinarySearch(names, name)
		if at >= n {
			continue
		}
		names = slices.Insert(names[:min(len(names), n-1)], at, name)
	}
	return names
}

func cut(s string, left *int) string {
	s = s[:min(len(s), max(*left, 0))]
	*left -= len(s)
	return s
}
