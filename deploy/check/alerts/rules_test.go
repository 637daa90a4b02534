package alerts

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// readGroups reads the alerts like Prometheus, and refuses what Prometheus refuses.
func readGroups(t *testing.T) *rulefmt.RuleGroups {
	t.Helper()
	groups, errs := rulefmt.Parse(read(t, "alerts.yaml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Fatal(err)
	}
	return groups
}

// readRules makes the rules of the alerts, by their names.
func readRules(t *testing.T) map[string]*rules.AlertingRule {
	t.Helper()
	found := map[string]*rules.AlertingRule{}
	for _, group := range readGroups(t).Groups {
		for _, r := range group.Rules {
			expression, err := parser.NewParser(parser.Options{}).ParseExpr(r.Expr)
			must(t, err)
			if found[r.Alert] != nil {
				t.Fatalf("two alerts are called %s", r.Alert)
			}
			found[r.Alert] = rules.NewAlertingRule(r.Alert, expression, time.Duration(r.For), time.Duration(r.KeepFiringFor),
				labels.FromMap(r.Labels), labels.FromMap(r.Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
		}
	}
	return found
}
