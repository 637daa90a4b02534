package alerts

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/seed-49a43567/switchboard/deploy/check/alerts/rules"
)

// deploy is the folder with the checked files.
const deploy = "../.."

// selected are the metrics that expressions select, with the names that processes show: a histogram
// by its name.
func selected(t *testing.T) map[string]bool {
	t.Helper()
	expressions, err := rules.Expressions(deploy)
	must(t, err)
	return rules.Selected(expressions)
}

// checkExpressions checks that a process showed each metric that an expression selects, with the
// requested values of labels and with the labels by which the expression groups.
func checkExpressions(t *testing.T, m *monitor) {
	expressions, err := rules.Expressions(deploy)
	must(t, err)
	for where, expression := range expressions {
		parser.Inspect(expression, func(node parser.Node, path []parser.Node) error {
			selector, is := node.(*parser.VectorSelector)
			if !is {
				return nil
			}
			if !m.has(selector.LabelMatchers...) {
				t.Errorf("%s: nothing shows %s", where, selector)
			}
			for _, above := range path {
				aggregation, is := above.(*parser.AggregateExpr)
				if !is || aggregation.Without {
					continue
				}
				for _, label := range aggregation.Grouping {
					there := labels.MustNewMatcher(labels.MatchNotEqual, label, "")
					if !m.has(append([]*labels.Matcher{there}, selector.LabelMatchers...)...) {
						t.Errorf("%s: %s has no label %s", where, selector, label)
					}
				}
			}
			return nil
		})
	}
}
