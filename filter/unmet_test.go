package filter

import "testing"

// TestUnmetIsTheFirstConditionThatDecides: a condition inside one that holds need not hold.
func TestUnmetIsTheFirstConditionThatDecides(t *testing.T) {
	t.Parallel()
	const data = `{"a":1,"b":2,"items":[{"n":1},{"n":2}]}`
	for document, want := range map[string]string{
		``:                       "",
		`{"data":{"a":1}}`:       "",
		`{"data":{"a":1,"b":3}}`: "filter.data.b",
		`{"data":{"a":{"$gte":1},"b":{"$gte":3}}}`:                   "filter.data.b.$gte",
		`{"$or":[{"data":{"a":2}},{"data":{"a":1}}],"data":{"b":3}}`: "filter.data.b",
		`{"$or":[{"data":{"a":2}},{"data":{"a":3}}]}`:                "filter.$or",
		`{"$not":{"data":{"a":2}},"data":{"b":3}}`:                   "filter.data.b",
		`{"$not":{"data":{"a":1}}}`:                                  "filter.$not",
		`{"data":{"items":{"n":2},"b":3}}`:                           "filter.data.b",
		`{"data":{"items":{"n":3}}}`:                                 "filter.data.items",
	} {
		verdict, unmet := mustParse(t, document).Unmet(NewInput(eventOf(data)), NewExplainBudget())
		got := ""
		if unmet != nil {
			got = unmet.Condition
		}
		if got != want || (verdict == VerdictMatched) != (want == "") {
			t.Errorf("%s: %q, %v; want %q", document, got, verdict, want)
		}
	}
	spent := NewExplainBudget()
	spent.left = 0
	if verdict, unmet := mustParse(t, `{"data":{"items":{"n":3}}}`).Unmet(NewInput(eventOf(data)), spent); verdict != VerdictUndecided || unmet != nil {
		t.Errorf("without a budget: %v %+v", verdict, unmet)
	}
}
