package alerts

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
)

// runbook is where the links of alerts lead.
const runbook = "https://github.com/seed-49a43567/switchboard/blob/main/docs/runbook.md#"

// readGroups reads the alerts as Prometheus reads them, and refuses what it refuses.
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

// Each alert says how urgent it is, what it is, and leads to a section of the runbook that is there.
func TestAlertsAreExplained(t *testing.T) {
	t.Parallel()
	headings := map[string]bool{}
	for line := range strings.Lines(string(read(t, "../docs/runbook.md"))) {
		if text, is := strings.CutPrefix(strings.TrimSpace(line), "### "); is {
			headings[anchorOf(text)] = true
		}
	}
	for _, group := range readGroups(t).Groups {
		for _, r := range group.Rules {
			if severity := r.Labels["severity"]; severity != "page" && severity != "ticket" {
				t.Errorf("%s has the severity %q", r.Alert, severity)
			}
			anchor, is := strings.CutPrefix(r.Annotations["runbook_url"], runbook)
			if !is || !headings[anchor] {
				t.Errorf("%s leads to %s, and the runbook has no such section", r.Alert, r.Annotations["runbook_url"])
			}
			if r.Annotations["summary"] == "" {
				t.Errorf("%s has no summary", r.Alert)
			}
		}
	}
}

// anchorOf is how a heading is linked to.
func anchorOf(heading string) string {
	var b strings.Builder
	for _, letter := range strings.ToLower(heading) {
		switch {
		case letter >= 'a' && letter <= 'z', letter >= '0' && letter <= '9', letter == '-':
			b.WriteRune(letter)
		case letter == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}
