package e2e

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestCompose: the steps and processes of compose.yaml do what they are there for, with its
// environment, from nothing to a delivery.
func TestCompose(t *testing.T) {
	t.Parallel()
	c := newComposed(t)
	if printed := c.run("migrate"); !strings.Contains(printed, "schema: made") || !strings.Contains(printed, "encryption keys: they are this database's") {
		t.Errorf("migrate printed %q", printed)
	}
	if printed := c.run("setup"); !strings.Contains(printed, "namespace switchboard on "+shared.addr(t)+": made") {
		t.Errorf("setup printed %q", printed)
	}
	api, worker := c.start("api"), c.start("worker")
	api.awaitHealthy()
	worker.awaitHealthy()
	for _, process := range []*composeProcess{api, worker} {
		for _, path := range append(probes(t), "/metrics") {
			process.answers(path)
		}
	}
	for _, path := range published(t) {
		api.answers(path)
	}

	created := strings.Fields(c.run("api", "keys", "create", "--name", "test", "--role", "admin"))
	key := created[len(created)-1]
	r := newReceiver(t, 200)
	api.post(key, "/v1/subscriptions", `{"tenant": "acme", "name": "CRM", "events": ["*"], "request": {"url": "`+r.URL+`"}}`)
	api.post(key, "/v1/events", `{"tenant": "acme", "type": "ticket.created", "data": {"id": 1}}`)
	r.await(t, 1)
	worker.stop()
	api.stop()
}

// probes are the paths that the chart's pods are asked on.
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
		if path == "/v1" { // itself no call
			values.Ingress.Paths[i] = "/v1/events"
		}
	}
	return values.Ingress.Paths
}
