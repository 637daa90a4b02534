package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scrapeInterval is Prometheus' interval here. With that of the file, the test would wait for
// minutes.
const scrapeInterval = time.Second

// staticTargets replaces the names of services, which Prometheus would look up with Docker, by
// their addresses, and sets the scrape interval.
func (c *composed) staticTargets(text string) string {
	c.t.Helper()
	var config map[string]any
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		c.t.Fatal(err)
	}
	config["global"] = map[string]any{"scrape_interval": scrapeInterval.String(), "evaluation_interval": scrapeInterval.String()}
	for _, job := range config["scrape_configs"].([]any) {
		job := job.(map[string]any)
		var targets []string
		for _, lookup := range job["dns_sd_configs"].([]any) {
			lookup := lookup.(map[string]any)
			for _, name := range lookup["names"].([]any) {
				address, is := c.addresses[name.(string)]
				if !is {
					c.t.Fatalf("Prometheus looks for %s, which is no service", name)
				}
				targets = append(targets, address+":"+strconv.Itoa(lookup["port"].(int)))
			}
		}
		delete(job, "dns_sd_configs")
		job["static_configs"] = []any{map[string]any{"targets": targets}}
	}
	changed, err := yaml.Marshal(config)
	if err != nil {
		c.t.Fatal(err)
	}
	return string(changed)
}

// checkWatching: Prometheus reaches every target, every rule works, and each panel of the dashboard
// shows some of the traffic.
func (c *composed) checkWatching(traffic *composeTraffic) {
	c.t.Helper()
	prometheus := c.dataSource()
	began := time.Now()
	unseen := c.expressions()
	defer func() {
		for expression, panel := range unseen {
			c.t.Errorf("the panel %q has nothing to show of %s", panel, expression)
		}
	}()
	scrape := time.NewTicker(scrapeInterval)
	defer scrape.Stop()
	// Temporal's server shows a backlog a minute after the first use of its queue.
	awaitFor(c.t, loadTimeout, "something in each panel", func() bool {
		<-scrape.C
		traffic.more()
		maps.DeleteFunc(unseen, func(expression, _ string) bool { return shows(c.query(prometheus, expression, began)) })
		return len(unseen) == 0
	})
	var targets struct {
		ActiveTargets []struct{ ScrapeURL, Health, LastError string }
	}
	defer func() { c.t.Logf("the targets are %+v", targets.ActiveTargets) }()
	// On a busy machine a scrape may take longer than the interval.
	await(c.t, "each target up at its last scrape", func() bool {
		targets.ActiveTargets = nil
		c.ask(prometheus+"/api/v1/targets", nil, &targets)
		up := 0
		for _, target := range targets.ActiveTargets {
			if target.Health == "up" {
				up++
			}
		}
		return up == 3 && len(targets.ActiveTargets) == 3
	})
	var rules struct {
		Groups []struct {
			Rules []struct{ Name, Health, LastError string }
		}
	}
	c.ask(prometheus+"/api/v1/rules", nil, &rules)
	loaded := 0
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			loaded++
			if rule.Health != "ok" {
				c.t.Errorf("the rule %s is %s: %s", rule.Name, rule.Health, rule.LastError)
			}
		}
	}
	if loaded < 20 {
		c.t.Errorf("%d rules", loaded)
	}
}

// dataSource is the address at which Grafana queries Prometheus.
func (c *composed) dataSource() string {
	c.t.Helper()
	var file struct {
		Datasources []struct{ Type, URL string }
	}
	if err := yaml.Unmarshal(c.read(c.path("/etc/grafana/provisioning/datasources/prometheus.yaml")), &file); err != nil {
		c.t.Fatal(err)
	}
	if len(file.Datasources) != 1 || file.Datasources[0].Type != "prometheus" {
		c.t.Fatalf("Grafana asks %+v", file.Datasources)
	}
	return file.Datasources[0].URL
}

// composePanel is a panel of a dashboard.
type composePanel struct {
	Type, Title string
	Targets     []struct{ Expr string }
}

// expressions are the expressions of all panels, with Grafana's variables replaced, each with the
// title of its panel.
func (c *composed) expressions() map[string]string {
	c.t.Helper()
	fill := strings.NewReplacer("$__rate_interval", (4 * scrapeInterval).String(), "$class", ".*")
	titles := map[string]string{}
	for _, panel := range c.panels() {
		for _, target := range panel.Targets {
			titles[fill.Replace(target.Expr)] = panel.Title
		}
	}
	return titles
}

// panels are the panels of the dashboards that Grafana finds.
func (c *composed) panels() []composePanel {
	c.t.Helper()
	var file struct {
		Providers []struct{ Options struct{ Path string } }
	}
	if err := yaml.Unmarshal(c.read(c.path("/etc/grafana/provisioning/dashboards/switchboard.yaml")), &file); err != nil {
		c.t.Fatal(err)
	}
	var all []composePanel
	for _, provider := range file.Providers {
		dashboards, err := filepath.Glob(provider.Options.Path + "/*.json")
		if err != nil {
			c.t.Fatal(err)
		}
		for _, name := range dashboards {
			var dashboard struct{ Panels []composePanel }
			if err := json.Unmarshal(c.read(name), &dashboard); err != nil {
				c.t.Fatal(err)
			}
			all = append(all, dashboard.Panels...)
		}
	}
	if len(all) < 30 {
		c.t.Fatalf("Grafana finds %d panels", len(all))
	}
	return all
}

// series are the results of a query, with a text for each value.
type series []struct{ Values [][2]any }

// query requests what a panel draws for the time since the test began.
func (c *composed) query(prometheus, expression string, since time.Time) series {
	c.t.Helper()
	var found struct{ Result series }
	c.ask(prometheus+"/api/v1/query_range", url.Values{
		"query": {expression}, "start": {since.Format(time.RFC3339)}, "end": {time.Now().Format(time.RFC3339)}, "step": {scrapeInterval.String()},
	}, &found)
	return found.Result
}

// shows reports whether a panel would draw a point.
func shows(found series) bool {
	for _, one := range found {
		for _, value := range one.Values {
			if value[1] != "NaN" {
				return true
			}
		}
	}
	return false
}

// ask queries Prometheus, and decodes the data of its answer.
func (c *composed) ask(address string, form url.Values, into any) {
	c.t.Helper()
	response, err := http.Get(address + "?" + form.Encode())
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	answer := struct {
		Status, Error string
		Data          any
	}{Data: into}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Status != "success" {
		c.t.Fatalf("%s: %v, %s %s", form, err, answer.Status, answer.Error)
	}
}

// answers checks that a service serves something at a path.
func (c *composed) answers(service string, port int, path string) {
	c.t.Helper()
	response, err := http.Get(c.url(service, port, path))
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound || response.StatusCode >= http.StatusInternalServerError {
		c.t.Errorf("%s answers %s at %s", service, response.Status, path)
	}
}
