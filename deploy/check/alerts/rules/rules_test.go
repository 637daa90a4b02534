package rules

import (
	"go/ast"
	goparser "go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	deploy = "../../.."
	// runbook is the target of the alerts' links.
	runbook = "https://github.com/seed-49a43567/switchboard/blob/main/docs/runbook.md#"
)

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// Each alert says how urgent it is, as the runbook does, and what it is, and leads to an existing
// section of the runbook.
func TestAlertsAreExplained(t *testing.T) {
	t.Parallel()
	headings, severities := map[string]bool{}, map[string]string{}
	for line := range strings.Lines(string(must(os.ReadFile(deploy + "/../docs/runbook.md"))(t))) {
		if text, is := strings.CutPrefix(strings.TrimSpace(line), "### "); is {
			headings[anchorOf(text)] = true
		}
		if cells := strings.Split(line, " | "); len(cells) == 3 { // alerts, severity, where to go
			for name := range strings.SplitSeq(strings.TrimPrefix(cells[0], "| "), ", ") {
				severities[strings.Trim(name, "`")] = cells[1]
			}
		}
	}
	for _, a := range must(Alerts(deploy))(t) {
		if severity := a.Labels["severity"]; severity != "page" && severity != "ticket" {
			t.Errorf("%s has the severity %q", a.Name, severity)
		} else if severities[a.Name] != severity {
			t.Errorf("%s is a %s, and the runbook says %q", a.Name, severity, severities[a.Name])
		}
		anchor, is := strings.CutPrefix(a.Annotations["runbook_url"], runbook)
		if !is || !headings[anchor] {
			t.Errorf("%s leads to %s, and the runbook has no such section", a.Name, a.Annotations["runbook_url"])
		}
		if a.Annotations["summary"] == "" {
			t.Errorf("%s has no summary", a.Name)
		}
	}
}

// anchorOf returns the anchor of a heading.
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

// Each alert has a fault with which `make alerts` makes it fire, and each fault names existing
// alerts.
func TestEachAlertHasItsFault(t *testing.T) {
	t.Parallel()
	made, known := faultsAlerts(t), map[string]bool{}
	for _, a := range must(Alerts(deploy))(t) {
		if known[a.Name] {
			t.Errorf("two alerts are called %s", a.Name)
		}
		if known[a.Name] = true; !made[a.Name] {
			t.Errorf("nothing makes %s fire", a.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(made)) {
		if !known[name] {
			t.Errorf("there is no alert %s", name)
		}
	}
}

// faultsAlerts are the values of the fields named alerts in the source of the faults.
func faultsAlerts(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, file := range must(filepath.Glob("../faults_*_test.go"))(t) {
		source := must(goparser.ParseFile(token.NewFileSet(), file, nil, goparser.SkipObjectResolution))(t)
		ast.Inspect(source, func(node ast.Node) bool {
			pair, is := node.(*ast.KeyValueExpr)
			if !is {
				return true
			}
			key, _ := pair.Key.(*ast.Ident)
			list, _ := pair.Value.(*ast.CompositeLit)
			if key == nil || key.Name != "alerts" || list == nil {
				return true
			}
			for _, element := range list.Elts {
				if text, is := element.(*ast.BasicLit); is {
					names[must(strconv.Unquote(text.Value))(t)] = true
				}
			}
			return true
		})
	}
	return names
}

// Every expression can be parsed, and selects only those of Switchboard's metrics that the
// documents explain. `make alerts` checks that processes show them, with their labels.
func TestExpressions(t *testing.T) {
	t.Parallel()
	expressions := must(Expressions(deploy))(t)
	if len(expressions) < 50 {
		t.Fatalf("found %d expressions only", len(expressions))
	}
	explained := string(must(os.ReadFile(deploy + "/../docs/telemetry.md"))(t))
	own := 0
	for name := range Selected(expressions) {
		if !strings.HasPrefix(name, "switchboard_") || isPart(name) {
			continue
		}
		if own++; !strings.Contains(explained, "`"+name+"`") {
			t.Errorf("docs/telemetry.md does not have %s", name)
		}
	}
	if own < 25 {
		t.Errorf("only %d metrics of Switchboard are looked at", own)
	}
}

// isPart reports whether a name is that of a series of a histogram.
func isPart(name string) bool {
	return strings.HasSuffix(name, "_bucket") || strings.HasSuffix(name, "_count") || strings.HasSuffix(name, "_sum")
}
