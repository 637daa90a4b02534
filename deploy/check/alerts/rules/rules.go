// Package rules reads the alerts and the dashboard in deploy/, which are in Prometheus's language.
// It only needs Prometheus's parser, so its tests are quick and part of `make test`.
package rules

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// Alert is an alert of deploy/alerts.yaml.
type Alert struct {
	Name        string `yaml:"alert"`
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

// Alerts returns the alerts of a deploy folder.
func Alerts(deploy string) ([]Alert, error) {
	var file struct {
		Groups []struct{ Rules []Alert }
	}
	text, err := os.ReadFile(filepath.Join(deploy, "alerts.yaml"))
	if err == nil {
		err = yaml.Unmarshal(text, &file)
	}
	var all []Alert
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all, err
}

// Expressions returns the expressions of the alerts and the dashboard of a deploy folder, by their
// location.
func Expressions(deploy string) (map[string]parser.Expr, error) {
	found, err := texts(deploy)
	if err != nil {
		return nil, err
	}
	parsed := map[string]parser.Expr{}
	for where, text := range found {
		// The values that Grafana fills in.
		filled := strings.NewReplacer("$__rate_interval", "5m", "$class", ".*").Replace(text)
		if parsed[where], err = parser.NewParser(parser.Options{}).ParseExpr(filled); err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
	}
	return parsed, nil
}

func texts(deploy string) (map[string]string, error) {
	alerts, err := Alerts(deploy)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, a := range alerts {
		found["the alert "+a.Name] = a.Expr
	}
	text, err := os.ReadFile(filepath.Join(deploy, "grafana", "switchboard.json"))
	if err != nil {
		return nil, err
	}
	var dashboard struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		return nil, err
	}
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			return nil, fmt.Errorf("the panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			found["the panel "+panel.Title+": "+target.Expr] = target.Expr
		}
	}
	return found, nil
}

// Selected returns the metrics that expressions select, by name. A histogram also has its name
// without the suffixes of its series.
func Selected(expressions map[string]parser.Expr) map[string]bool {
	names := map[string]bool{}
	for _, expression := range expressions {
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
