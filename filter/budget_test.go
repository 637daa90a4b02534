package filter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// An event is matched against the filters of its tenant while others wait. So the cost of a filter
// is limited, for any number of conditions and any length of list.
func TestMatchIsBounded(t *testing.T) {
	t.Parallel()
	list := func(element, last string) string {
		return `{"a":[` + strings.Repeat(element+",", 500_000/(len(element)+1)) + last + `]}`
	}
	text := `"` + strings.Repeat("ab", 4000) + `"`
	// Each matches the last element: without a limit that is found.
	tests := map[string]struct{ condition, data string }{
		"numbers": {`{"data":{"a":{"$in":[5,6]}}}`, list("1", "5")},
		"nested":  {`{"data":{"a":{"$gt":5}}}`, list("[1]", "6")},
		"objects": {`{"data":{"a":{"x":1}}}`, list("{}", `{"x":1}`)},
		"texts":   {`{"data":{"a":{"$regex":"((?:a?){60}a{60}z)|c"}}}`, list(text, strings.TrimSuffix(text, `"`)+`c"`)},
	}
	for name, test := range tests {
		never := strings.Repeat(`{"data":{"a":{"b":{"c":{"$exist":true}}}}},`, 30)
		filter := mustParse(t, `{"$or":[`+never+test.condition+`]}`)
		if got := filter.Verdict(NewInput(&switchboard.Event{Data: []byte(test.data)}), NewBudget()); got != VerdictUndecided {
			t.Errorf("%s: all of the list was looked at, or its end taken for known: %d", name, got)
		}
	}
	whole := mustParse(t, `{"data":{"a":{"$eq":5}}}`)
	if !whole.Match(&switchboard.Event{Data: []byte(`{"a":[` + strings.Repeat("1,", 50_000) + `5]}`)}) {
		t.Error("the end of a list of 50,000 is not looked at")
	}
}

// counted counts how often a condition is matched against something.
type counted struct {
	condition
	times *int
}

func (c counted) match(v any, budget *Budget) Verdict {
	*c.times++
	return c.condition.match(v, budget)
}

// Each condition on each element costs, and the filters of a tenant share the budget of an event.
// 20 of these, with the maximum length, searched this list for minutes.
func TestConditionsOnElementsCost(t *testing.T) {
	t.Parallel()
	times, all := 0, conjunction{fields: true}
	for range maxConditions - 1 {
		all.parts = append(all.parts, fieldCondition{name: "x", part: counted{&comparison{operator: operatorOf("$nin"), among: map[any]bool{switchboard.ParseDecimal("0"): true}}, &times}})
	}
	all.parts = append(all.parts, fieldCondition{name: "z", part: &comparison{operator: operatorOf("$eq"), wanted: switchboard.ParseDecimal("1")}})
	filter := Filter{root: fieldCondition{name: "data", part: fieldCondition{name: "a", part: all}}}
	in, budget := NewInput(eventOf(`{"a":[`+strings.Repeat(`{"x":-1},`, 28_000)+`{}],"b":"x","n":[1]}`)), NewBudget()
	const filters = 20
	for i := range filters {
		if got := filter.Verdict(in, budget); got != VerdictUndecided {
			t.Fatalf("filter %d: %d", i, got)
		}
	}
	if times > maxPerEvent+filters*maxConditions || times < maxPerEvent*9/10 {
		t.Errorf("%d conditions were held against elements; want about %d", times, maxPerEvent)
	}
	// The remaining filters still compare what is not in a list.
	for document, want := range map[string]Verdict{
		`{"data":{"b":"x"},"metadata":{"type":"ticket.created"}}`: VerdictMatched,
		`{"data":{"b":{"$ne":"x"}}}`:                              VerdictRejected,
		`{"data":{"n":{"$eq":[1]}}}`:                              VerdictMatched,
		`{"data":{"n":{"$exist":false}}}`:                         VerdictRejected,
	} {
		if got := mustParse(t, document).Verdict(in, budget); got != want {
			t.Errorf("%s with no budget left: %d; want %d", document, got, want)
		}
	}
}

// An element costs itself and the conditions matched against its content. Outside of lists, only
// what is very long costs.
func TestEffortSpent(t *testing.T) {
	t.Parallel()
	number, wanted := strings.Repeat("1", 6400), strings.TrimSuffix(strings.Repeat("1,", 399), ",")
	data := `{"n":3,"s":"x","list":[1,2,3],"items":[{"a":1,"b":2},{"a":1,"b":3}],"none":[{"c":[]},{"c":[]}],"long":` + number + `,"values":[` + wanted + `]}`
	for filter, want := range map[string]int{
		`{"n":3,"s":{"$in":["x"]},"gone":{"$exist":false}}`: 0,
		`{"list":3}`:               3,
		`{"list":{"$nin":[4]}}`:    3,
		`{"list":1}`:               1,
		`{"list":{"$eq":[1,2,3]}}`: 1,
		`{"items":{"a":1,"b":3}}`:  6,
		`{"items":{"a":2,"b":3}}`:  4,
		`{"items":{"$or":[{"b":{"$exist":false}},{"b":2}]}}`: 6,
		`{"none":{"c":{"x":1}}}`:                             4,
		`{"s":{"$regex":"y"}}`:                               1,
		`{"long":{"$gt":0}}`:                                 100,
		`{"values":{"$eq":[` + wanted + `]}}`:                100,
		`{"values":{"$eq":[` + wanted + `,1]}}`:              399,
	} {
		budget := NewBudget()
		mustParse(t, `{"data":`+filter+`}`).Verdict(NewInput(eventOf(data)), budget)
		if got := maxPerEvent - budget.all; got != want {
			t.Errorf("%.60s costs %d; want %d", filter, got, want)
		}
	}
}

// What the budget is too small for is unknown, and no operator, and no $not around it, turns that
// into an answer. What is known can still decide.
func TestUndecided(t *testing.T) {
	t.Parallel()
	const budget = 500
	// Lists in which only the last element differs, and a text: longer than the budget.
	in := NewInput(eventOf(`{"list":[` + strings.Repeat("1,", budget) + `2],"objects":[` + strings.Repeat("{},", budget) + `{"x":1}],` +
		`"text":"` + strings.Repeat("ab", budget) + `refund","status":"open"}`))
	const costly = `{"text":{"$regex":"(?:a?){60}a{60}z|fund"}}`
	for _, test := range []struct {
		data string
		want Verdict
	}{
		{costly, VerdictUndecided},
		{`{"$not":` + costly + `}`, VerdictUndecided},
		{`{"$not":{"$not":` + costly + `}}`, VerdictUndecided},
		{`{"list":2}`, VerdictUndecided},
		{`{"list":{"$ne":2}}`, VerdictUndecided},
		{`{"list":{"$in":[2,3]}}`, VerdictUndecided},
		{`{"list":{"$nin":[2,3]}}`, VerdictUndecided},
		{`{"list":{"$gt":1}}`, VerdictUndecided},
		{`{"$not":{"list":{"$gt":1}}}`, VerdictUndecided},
		{`{"objects":{"x":1}}`, VerdictUndecided},
		{`{"$not":{"objects":{"x":1}}}`, VerdictUndecided},
		{`{"$and":[` + costly + `,{"status":"open"}]}`, VerdictUndecided},
		{`{"$or":[` + costly + `,{"status":"closed"}]}`, VerdictUndecided},
		{`{"$not":{"$or":[` + costly + `,{"status":"closed"}]}}`, VerdictUndecided},
		{`{"$and":[` + costly + `,{"status":"closed"}]}`, VerdictRejected},
		{`{"$or":[` + costly + `,{"status":"open"}]}`, VerdictMatched},
		{`{"$not":{"$and":[` + costly + `,{"status":"closed"}]}}`, VerdictMatched},
		{`{"list":1}`, VerdictMatched},
		{`{"list":{"$ne":1}}`, VerdictRejected},
		{`{"list":{"$exist":true}}`, VerdictMatched},
		{`{"text":{"$endsWith":"refund"}}`, VerdictMatched},
		{`{"text":{"$regex":"(?:a?){60}a{60}z|fund"},"status":{"$regex":"^clo"}}`, VerdictRejected}, // the cheaper condition is tested
		{`{"text":{"$regex":"refund"}}`, VerdictMatched},                                            // plain text is cheap
		{`{"text":{"$not":{"$regex":"refund"}}}`, VerdictRejected},
	} {
		got := mustParse(t, `{"data":`+test.data+`}`).Verdict(in, (&SharedBudget{budget}).ForEvent())
		if got != test.want || got.Delivers() != (test.want != VerdictRejected) {
			t.Errorf("%s: %d; want %d", test.data, got, test.want)
		}
	}
}

// Regular expressions of common size can search every text that fits into an event.
func TestRegexReadsLongTexts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		bytes   int
		pattern string
		want    Verdict
	}{
		{8<<10 - 6, "refund", VerdictMatched},
		{8<<10 + 1, "refund", VerdictMatched}, // no text above 8 KiB was searched
		{8<<10 + 1, "(?i)REFUND$", VerdictMatched},
		{8<<10 + 1, "^refund", VerdictRejected},
		{100 << 10, "(?i)refund|chargeback", VerdictMatched},
		{switchboard.DefaultMaxData - 100, "refund", VerdictMatched},
		{switchboard.DefaultMaxData - 100, `(?i)\\b(order|refund)\\b`, VerdictMatched},
		{switchboard.DefaultMaxData - 100, "(?i)refunds|chargeback", VerdictRejected},
		{switchboard.DefaultMaxData - 100, "x{240}|y{240}|refund", VerdictUndecided},
	} {
		e := eventOf(`{"a":"` + strings.Repeat("mail ", test.bytes/5) + ` refund"}`)
		regex := `{"$regex":"` + test.pattern + `"}`
		if got := mustParse(t, `{"data":{"a":`+regex+`}}`).Verdict(NewInput(e), NewBudget()); got != test.want {
			t.Errorf("%d bytes, %s: %d; want %d", test.bytes, test.pattern, got, test.want)
		}
		if got := mustParse(t, `{"data":{"a":{"$not":`+regex+`}}}`).Verdict(NewInput(e), NewBudget()); got != test.want.negated() {
			t.Errorf("%d bytes, not %s: %d; want %d", test.bytes, test.pattern, got, test.want.negated())
		}
	}
}

// An explanation says what is unknown.
func TestExplainSaysWhatIsUndecided(t *testing.T) {
	t.Parallel()
	const budget = 1000
	in := NewInput(eventOf(`{"list":[` + strings.Repeat("1,", budget) + `2],"objects":[` + strings.Repeat("{},", budget) + `{"x":1}]}`))
	for filter, paths := range map[string][]string{
		`{"data":{"list":2}}`:                                            {"data.list"},
		`{"data":{"objects":{"x":1}}}`:                                   {"data.objects"},
		`{"$not":{"data":{"list":2}}}`:                                   {"", "data.list"},
		`{"$or":[{"data":{"list":2}},{"metadata":{"type":"x"}}]}`:        {"", "data.list"},
		`{"data":{"list":{"$exist":true}},"metadata":{"tenant":"acme"}}`: nil,
	} {
		var undecided []string
		_, findings := mustParse(t, filter).root.explain(in, "", &Budget{left: budget})
		for _, f := range findings {
			if said := strings.Contains(f.Text, tooExpensive); said != f.Undecided || f.Undecided && f.Holds {
				t.Errorf("%s: %+v", filter, f)
			}
			if f.Undecided {
				undecided = append(undecided, f.Path)
			}
		}
		if fmt.Sprint(undecided) != fmt.Sprint(paths) {
			t.Errorf("%s: %q; want %q", filter, undecided, paths)
		}
	}
}

// TestEventsShareABudget: among events that are stored together, the first ones are matched
// completely, and what is too expensive for the last ones is skipped. Another tenant has its own
// budget.
func TestEventsShareABudget(t *testing.T) {
	t.Parallel()
	const length = 200_000
	costly := mustParse(t, `{"data":{"a":{"$eq":5}}}`)
	const events = 400
	budget := NewSharedBudget(events)
	verdict := func() Verdict {
		return costly.Verdict(NewInput(&switchboard.Event{Data: []byte(`{"a":[1` + strings.Repeat(",1", length-1) + `]}`)}), budget.ForEvent())
	}
	for i := range events * maxPerSharedEvent / length {
		if got := verdict(); got != VerdictRejected {
			t.Fatalf("event %d: %d", i, got)
		}
	}
	if got := verdict(); got != VerdictUndecided {
		t.Errorf("one more: %d", got)
	}
	if got := mustParse(t, `{"data":{"b":1}}`).Verdict(NewInput(eventOf(`{"b":2}`)), budget.ForEvent()); got != VerdictRejected {
		t.Errorf("what costs nothing: %d", got)
	}
	budget = NewSharedBudget(1)
	if got := verdict(); got != VerdictRejected {
		t.Errorf("of another tenant: %d", got)
	}
}
