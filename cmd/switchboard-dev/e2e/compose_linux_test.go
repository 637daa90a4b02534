package e2e

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	temporalclient "go.temporal.io/sdk/client"
	"go.yaml.in/yaml/v3"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/worker"
)

// TestCompose: `docker compose up` starts what compose.yaml says, from nothing to a delivery that
// Temporal's UI shows. Each process is watched, each rule is loaded, and each panel of the
// dashboard shows something. There is no Grafana: the test reads its files and makes its queries.
func TestCompose(t *testing.T) {
	t.Parallel()
	c := newComposed(t)
	c.makeSecrets()
	c.run("prometheus", []string{"promtool", "check", "config", "/etc/prometheus/prometheus.yaml"})
	c.edit("/etc/prometheus/prometheus.yaml", c.staticTargets)
	for _, service := range slices.Sorted(maps.Keys(c.services)) {
		if service != "grafana" {
			c.up(service)
		}
	}
	for step, says := range map[string]string{"migrate": "encryption keys: they are this database's", "setup": "search attributes: added"} {
		if !strings.Contains(c.printed[step], says) {
			t.Errorf("%s prints %q", step, c.printed[step])
		}
	}
	for _, step := range []string{"secrets", "temporal-schema", "migrate", "setup"} { // as after a second `docker compose up`
		c.runStep(step)
	}
	if says := "search attributes: are there"; !strings.Contains(c.printed["setup"], says) {
		t.Errorf("a second setup prints %q", c.printed["setup"])
	}
	for _, service := range []string{"api", "worker"} {
		for _, path := range append(probes(t), "/metrics") {
			c.answers(service, 8080, path)
		}
	}
	for _, path := range published(t) {
		c.answers("api", 8080, path)
	}
	key := c.firstKey()
	api, err := client.New(client.Config{URL: c.url("api", 8080, ""), Key: key})
	if err != nil {
		t.Fatal(err)
	}
	traffic := newComposeTraffic(t, api)
	c.answers("temporal-ui", 8233, "/")
	c.answers("temporal-ui", 8233, "/api/v1/namespaces/switchboard/workflows/"+traffic.delivery)
	c.retain()
	c.checkWatching(traffic)
	for _, service := range []string{"worker", "api"} {
		c.down(service)
	}
}

// makeSecrets runs the step that makes the secrets, which changes nothing when it runs again.
func (c *composed) makeSecrets() {
	c.t.Helper()
	c.up("secrets")
	all := func() (text []byte) {
		files, err := filepath.Glob(c.path("/secrets/*/*"))
		if err != nil || len(files) != 7 {
			c.t.Fatalf("the secrets are %v, %v", files, err)
		}
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o400 {
				c.t.Fatalf("%s: %v, %v", file, info, err)
			}
			text = append(text, c.read(file)...)
		}
		return text
	}
	first := all()
	c.run("secrets", c.line("secrets"))
	if !bytes.Equal(first, all()) {
		c.t.Error("a second run changed a secret")
	}
}

// firstKey runs the commands of the page about Compose that print the first API key and Grafana's
// password.
func (c *composed) firstKey() switchboard.Secret {
	c.t.Helper()
	var printed []string
	for _, block := range blocksOf(c.t, "deploy/README.md", "sh") {
		for line := range strings.Lines(block) {
			words := strings.Fields(line)
			if rest, is := strings.CutPrefix(strings.Join(words, " "), "docker compose exec "); is {
				words = strings.Fields(rest)
				printed = append(printed, strings.Fields(c.run(words[0], words[1:]))...)
			} else if rest, is := strings.CutPrefix(strings.Join(words, " "), "docker compose run --rm --no-deps --entrypoint "); is {
				words = strings.Fields(rest)
				printed = append(printed, c.run(words[1], append([]string{words[0]}, words[2:]...)))
			}
		}
	}
	if len(printed) < 3 || len(printed[len(printed)-1]) != 64 {
		c.t.Fatalf("they print %q", printed)
	}
	return switchboard.Secret(printed[len(printed)-2])
}

// composeTraffic makes a little of everything: deliveries, failures, a breaker that opens and holds
// deliveries, and an operation.
type composeTraffic struct {
	t        *testing.T
	api      *client.Client
	well     *receiver
	delivery string
}

func newComposeTraffic(t *testing.T, api *client.Client) *composeTraffic {
	t.Helper()
	f := &composeTraffic{t: t, api: api, well: newReceiver(t, 200)}
	ill := newReceiver(t, 503)
	well := f.subscribe("well", f.well.URL, `"events": ["ticket.*"]`)
	f.subscribe("ill", ill.URL, `"events": ["ticket.*"], "breaker": {"failures_in_a_row": 2}`)
	aside := f.subscribe("aside", ill.URL, `"events": ["ticket.*"], "breaker": {"mode": "off"}`)
	f.delivery = f.post()[well]
	f.well.await(t, 1) // so that Temporal knows about it
	_, err := api.StartOperation(t.Context(), client.NewOperation{
		Action: switchboard.ActionCancel, Filter: &switchboard.Selection{Subscription: aside}, Reason: "they are not wanted",
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *composeTraffic) subscribe(name, url, more string) (id string) {
	f.t.Helper()
	made, err := f.api.CreateSubscriptionFrom(f.t.Context(), json.RawMessage(`{"tenant": "acme", "name": "`+name+`", "request": {"url": "`+url+`"}, `+more+`}`))
	if err != nil {
		f.t.Fatal(err)
	}
	return made.ID
}

// post posts an event, and returns its deliveries by their subscriptions.
func (f *composeTraffic) post() map[string]string {
	f.t.Helper()
	accepted, err := f.api.PostEvent(f.t.Context(), client.NewEvent{Tenant: "acme", Type: "ticket.created", Data: json.RawMessage(`{"id": 1}`)})
	if err != nil || len(accepted.Deliveries) != 3 {
		f.t.Fatalf("%+v, %v", accepted, err)
	}
	deliveries := map[string]string{}
	for _, d := range accepted.Deliveries {
		deliveries[d.SubscriptionID] = d.ID
	}
	return deliveries
}

// more makes more traffic, with a request that is refused.
func (f *composeTraffic) more() {
	f.t.Helper()
	f.post()
	if _, err := f.api.GetOperation(f.t.Context(), "op_none"); err == nil {
		f.t.Fatal("an operation that there is not was found")
	}
}

// retain runs the schedule of retention, which would otherwise run within an hour.
func (c *composed) retain() {
	c.t.Helper()
	temporal, err := temporalclient.Dial(temporalclient.Options{HostPort: c.addresses["temporal"] + ":7233", Namespace: "switchboard"})
	if err != nil {
		c.t.Fatal(err)
	}
	defer temporal.Close()
	if err := temporal.ScheduleClient().GetHandle(c.t.Context(), worker.RetainSchedule).Trigger(c.t.Context(), temporalclient.ScheduleTriggerOptions{}); err != nil {
		c.t.Fatal(err)
	}
}

// probes are the paths of the chart's probes.
func probes(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/helm/switchboard/templates/_deployment.tpl")
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, match := range regexp.MustCompile(`httpGet: \{path: (/\w+),`).FindAllStringSubmatch(string(text), -1) {
		paths = append(paths, match[1])
	}
	if len(paths) != 3 {
		t.Fatalf("the chart asks %v", paths)
	}
	return paths
}

// published are the paths that the chart's ingress publishes.
func published(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/helm/switchboard/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Ingress struct{ Paths []string }
	}
	if err := yaml.Unmarshal(text, &values); err != nil || len(values.Ingress.Paths) == 0 {
		t.Fatalf("%v, %v", values.Ingress.Paths, err)
	}
	for i, path := range values.Ingress.Paths {
		if path == "/v1" { // /v1 itself is not a call
			values.Ingress.Paths[i] = "/v1/events"
		}
	}
	return values.Ingress.Paths
}
