package alerts

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// dashboard is what is read of Grafana's file.
type dashboard struct {
	Panels []struct {
		Type, Title string
		Targets     []struct{ Expr string }
	}
}

// expressions returns every expression of the alerts and of the dashboard, by where it stands.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, group := range readGroups(t).Groups {
		for _, r := range group.Rules {
			found["the alert "+r.Alert] = r.Expr
		}
	}
	var d dashboard
	must(t, json.Unmarshal(read(t, "grafana/switchboard.json"), &d))
	for _, panel := range d.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			// What Grafana fills in.
			filled := strings.NewReplacer("$__rate_interval", "5m", "$class", ".*").Replace(target.Expr)
			found["the panel "+panel.Title+": "+target.Expr] = filled
		}
	}
	if len(found) < 50 {
		t.Fatalf("found %d expressions only", len(found))
	}
	return found
}

// selected are the metrics that expressions select, as processes show them: a histogram by its name.
func selected(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for where, text := range expressions(t) {
		expression, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		parser.Inspect(expression, func(node parser.Node, _ []parser.Node) error {
			if selector, is := node.(*parser.VectorSelector); is {
				for _, part := range []string{"", "_bucket", "_count", "_sum"} {
					names[strings.TrimSuffix(selector.Name, part)] = true
				}
			}
			return nil
		})
	}
	return names
}

// checkExpressions checks that each metric that an expression selects was shown by a process, with the values of
// labels that are asked for, and that it has the labels by which the expression groups it.
func checkExpressions(t *testing.T, m *monitor) {
	for where, text := range expressions(t) {
		expression, err := parser.NewParser(parser.Options{}).ParseExpr(text)
		if err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
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
