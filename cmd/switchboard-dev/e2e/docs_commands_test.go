package e2e

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/seed-49a43567/switchboard/client"
)

// blocksOf returns the blocks of that kind in a document, without their indent.
func blocksOf(t *testing.T, document, kind string) []string {
	t.Helper()
	text, err := os.ReadFile("../../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, found := range regexp.MustCompile("(?ms)^( *)```"+kind+"\n(.*?)^ *```$").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, strings.TrimPrefix(strings.ReplaceAll("\n"+found[2], "\n"+found[1], "\n"), "\n"))
	}
	return blocks
}

// elsewhere are the documents whose shell blocks do not run here, with the test that runs them or
// the reason why none does.
func elsewhere() map[string]string {
	return map[string]string{
		"README.md": "TestReadme and below", "docs/platforms.md": "TestReadme", "docs/backup.md": "TestBackupDrill",
		"CONTRIBUTING.md":                   "they are make and go test, which CI runs",
		"deploy/helm/switchboard/README.md": "they are for a cluster; deploy/check renders the chart",
		"deploy/README.md":                  "TestDeploymentBlocks",
	}
}

// documentedPage is a document whose shell blocks run one after the other, each in a separate
// shell.
type documentedPage struct {
	page    string
	replace []string // additional pairs: an example in the document, and its real value
	environ []string // additional variables
	prints  string   // minimum output of each block
}

// TestDocumentedCommands runs the shell blocks of the documents, and the commands for support and
// operators, against a running system. Each succeeds.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	s := prepareSystem(t, shared.databases.Database(t), shared.addr(t), namespaceOf(t))
	s.config.PublicURL = s.url("")
	s.start()
	t.Cleanup(func() { s.stop() })
	folder := t.TempDir()
	if err := os.Symlink(built.path(t), filepath.Join(folder, "switchboard")); err != nil {
		t.Fatal(err)
	}
	s.prepareReadme(folder)
	seen := s.seedForDocuments()
	pages := []documentedPage{
		{page: "docs/cli.md"},
		{page: "docs/console.md"},
		{page: "docs/operational_events.md"},
		{page: "docs/receiving.md", environ: []string{"RECEIVER_URL=" + verifyingReceiver(t, exampleSecret), "WEBHOOK_SECRET=" + exampleSecret}, prints: "200"},
		{page: "docs/telemetry.md", replace: s.watchedFrom(folder), environ: []string{"PATH=" + folder + ":" + prometheusFolder(t) + ":" + os.Getenv("PATH")}, prints: `"pool":"slow"`},
		{page: "docs/operations.md", replace: []string{`"plan": "…"`, `"plan": "'"$(` + planCommand + `)"'"`}},
	}
	run := func(p documentedPage, command string) {
		t.Run(p.page, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
			defer cancel()
			shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"+strings.NewReplacer(append(p.replace,
				"https://switchboard.example.com", s.url(""), "localhost:8080", s.config.Listen, "127.0.0.1:8080", s.config.Listen, "curl -s ", "curl -sS --fail-with-body ",
			)...).Replace(command))
			shell.Dir = folder
			shell.Env = []string{
				"PATH=" + folder + ":" + os.Getenv("PATH"), "HOME=" + folder, "API=" + s.url(""), "KEY=" + s.key.Reveal(), "SWITCHBOARD_URL=" + s.url(""), "SWITCHBOARD_API_KEY=" + s.key.Reveal(),
			}
			shell.Env = append(shell.Env, p.environ...)
			if output, err := shell.CombinedOutput(); err != nil || !strings.Contains(string(output), p.prints) {
				t.Errorf("%v\n%s\nprints\n%s", err, command, output)
			}
		})
	}
	for _, p := range pages {
		for _, block := range blocksOf(t, p.page, "sh") {
			run(p, block)
		}
	}
	for _, block := range shellBlocks(t, "README.md", "Where support looks", "Production") {
		run(documentedPage{page: "README.md"}, block)
	}
	for _, page := range []string{"docs/support.md", "docs/runbook.md"} {
		for _, block := range blocksOf(t, page, "console") {
			for line := range strings.Lines(block) {
				if command, is := strings.CutPrefix(line, "$ "); is {
					run(documentedPage{page: page}, seen.inPlaceOf(strings.TrimSpace(command)))
				}
			}
		}
	}
	checkAllPagesAreRun(t, pages)
}

// prepareReadme prepares a folder for the README's commands, like that of `make run`.
func (s *system) prepareReadme(folder string) {
	s.t.Helper()
	for _, name := range []string{"bin", ".switchboard"} {
		if err := os.Mkdir(filepath.Join(folder, name), 0o700); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.Symlink(built.path(s.t), filepath.Join(folder, "bin", "switchboard")); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ".switchboard", "api.key"), []byte(s.key.Reveal()+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// watchedFrom replaces the demo's address with that of the system in Prometheus' settings.
func (s *system) watchedFrom(folder string) (replace []string) {
	s.t.Helper()
	for _, name := range []string{"prometheus.demo.yaml", "alerts.yaml"} {
		text, err := os.ReadFile("../../../deploy/" + name)
		if err != nil {
			s.t.Fatal(err)
		}
		here := strings.ReplaceAll(string(text), "127.0.0.1:8080", s.config.Listen)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(here), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	return []string{"deploy/prometheus.demo.yaml", "prometheus.demo.yaml", "127.0.0.1:9090", freeAddr(s.t)}
}

const exampleSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// verifyingReceiver returns the address of a receiver that answers 401 unless the secret signed the
// request.
func verifyingReceiver(t *testing.T, secret string) string {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || verifier.Verify(body, r.Header) != nil {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// planCommand makes the plan that the page about operations starts.
const planCommand = `curl -s "$API/v1/operations" -H "Authorization: Bearer $KEY" -H "Content-Type: application/json" -d '{"action": "retry", "dry_run": true, "filter": {"state": ["retrying"]}}' | sed 's/.*"plan":"\([^"]*\)".*/\1/'`

// checkAllPagesAreRun: each document with shell blocks runs here, or is listed as running
// elsewhere.
func checkAllPagesAreRun(t *testing.T, pages []documentedPage) {
	t.Helper()
	documents, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range documents {
		documents[i] = strings.TrimPrefix(documents[i], "../../../")
	}
	for _, document := range append(documents, "README.md", "CONTRIBUTING.md", "deploy/README.md", "deploy/helm/switchboard/README.md") {
		here := slices.ContainsFunc(pages, func(p documentedPage) bool { return p.page == document })
		if len(blocksOf(t, document, "sh")) > 0 && !here && elsewhere()[document] == "" {
			t.Errorf("%s has shell blocks that no test runs", document)
		}
	}
}

// seededObjects are objects for support's commands.
type seededObjects struct{ subscription, delivered, retrying string }

// seedForDocuments makes a subscription that receives a ticket and one that fails, with the events
// that docs/support.md names.
func (s *system) seedForDocuments() seededObjects {
	s.t.Helper()
	var seen seededObjects
	well, failing := newReceiver(s.t, 200), newReceiver(s.t, 503)
	s.subscribe(well.URL, fields{"name": "Data lake", "events": []string{"ticket.*"}})
	seen.subscription, _ = s.subscribe(failing.URL, fields{"name": "CRM sync", "events": []string{"ticket.*"}})
	for id, kind := range map[string]string{"ticket-20817-created": "ticket.created", "call-77-ended": "call.ended"} {
		a := s.call(http.MethodPost, "/v1/events", fields{"tenant": "acme", "type": kind, "id": id, "data": fields{"id": 1}})
		for _, d := range as[client.Acceptance](s.t, a).Deliveries {
			if d.SubscriptionID == seen.subscription {
				s.awaitState(d.ID, "retrying")
				seen.retrying = d.ID
			} else {
				s.awaitState(d.ID, "delivered")
				seen.delivered = d.ID
			}
		}
	}
	if seen.retrying == "" || seen.delivered == "" {
		s.t.Fatal("the event has no two deliveries")
	}
	return seen
}

// inPlaceOf puts real objects into a support command: for an attempt a delivered delivery,
// otherwise one in backoff. Nobody answers the question of an operation.
func (o seededObjects) inPlaceOf(command string) string {
	delivery := o.retrying
	if strings.Contains(command, "--attempt") {
		delivery = o.delivered
	}
	command = regexp.MustCompile(`dlv_[0-9a-z]{26}`).ReplaceAllString(command, delivery)
	command = regexp.MustCompile(`sub_[0-9a-z]{26}`).ReplaceAllString(command, o.subscription)
	if strings.Contains(command, "operations start") {
		now := time.Now()
		command = regexp.MustCompile(`--after \S+ --before \S+`).ReplaceAllString(command,
			"--after "+now.Add(-time.Hour).UTC().Format(time.RFC3339)+" --before "+now.Add(time.Hour).UTC().Format(time.RFC3339)) + " --yes"
	}
	return command
}
