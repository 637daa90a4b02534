package e2e

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard/client"
)

// blocksOf are the blocks of that kind in a document, without their indent.
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

// elsewhere are the documents whose shell blocks another test runs, and that test.
func elsewhere() map[string]string {
	return map[string]string{"README.md": "TestReadme, TestFirstSteps", "docs/platforms.md": "TestReadme"}
}

// documentedPage is a document whose shell blocks are run one after the other, each in a shell of its own.
type documentedPage struct {
	page    string
	replace []string // further pairs: what stands there for an example, and what there is
}

// TestDocumentedCommands runs the shell blocks of the documents, and the commands of the runbook, against
// a running system. Each succeeds.
func TestDocumentedCommands(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	folder := t.TempDir()
	if err := os.Symlink(built.path(t), filepath.Join(folder, "switchboard")); err != nil {
		t.Fatal(err)
	}
	seen := s.seedForDocuments()
	pages := []documentedPage{
		{page: "docs/cli.md"},
		{page: "docs/console.md"},
		{page: "docs/operational_events.md"},
		{page: "docs/operations.md", replace: []string{`"plan": "…"`, `"plan": "'"$(` + planCommand + `)"'"`}},
	}
	run := func(name, command string, replace ...string) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), awaitTimeout)
			defer cancel()
			shell := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", strings.NewReplacer(append(replace,
				"https://switchboard.example.com", s.url(""), "localhost:8080", s.config.Listen, "127.0.0.1:8080", s.config.Listen, "curl -s", "curl -sS --fail-with-body",
			)...).Replace(command))
			shell.Dir = folder
			shell.Env = []string{
				"PATH=" + folder + ":" + os.Getenv("PATH"), "HOME=" + folder, "API=" + s.url(""), "KEY=" + s.key.Reveal(), "SWITCHBOARD_URL=" + s.url(""), "SWITCHBOARD_API_KEY=" + s.key.Reveal(),
			}
			if output, err := shell.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s\nprints\n%s", err, command, output)
			}
		})
	}
	for _, p := range pages {
		for _, block := range blocksOf(t, p.page, "sh") {
			run(p.page, block, p.replace...)
		}
	}
	for _, block := range blocksOf(t, "docs/runbook.md", "console") {
		for line := range strings.Lines(block) {
			if command, is := strings.CutPrefix(line, "$ "); is {
				run("docs/runbook.md", seen.inPlaceOf(strings.TrimSpace(command)))
			}
		}
	}
	checkAllPagesAreRun(t, pages)
}

// planCommand makes the plan that the page about operations starts.
const planCommand = `curl -s localhost:8080/v1/operations -H "Authorization: Bearer $KEY" -d '{"action": "retry", "dry_run": true, "filter": {"state": ["retrying"]}}' | sed 's/.*"plan":"\([^"]*\)".*/\1/'`

// checkAllPagesAreRun: a document with shell blocks is run here or by the test that is named for it.
func checkAllPagesAreRun(t *testing.T, pages []documentedPage) {
	t.Helper()
	documents, err := filepath.Glob("../../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for i := range documents {
		documents[i] = strings.TrimPrefix(documents[i], "../../../")
	}
	for _, document := range append(documents, "README.md", "deploy/README.md") {
		here := slices.ContainsFunc(pages, func(p documentedPage) bool { return p.page == document })
		if len(blocksOf(t, document, "sh")) > 0 && !here && elsewhere()[document] == "" {
			t.Errorf("%s has shell blocks that no test runs", document)
		}
	}
}

// seededObjects are what the commands of the runbook can be run on.
type seededObjects struct{ subscription, delivered, retrying string }

// seedForDocuments makes a subscription that takes a ticket and one that fails, with the events that the
// runbook names.
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

// inPlaceOf puts what there is into a command of the runbook: an attempt is looked at of what was
// delivered, anything else is done to what is in backoff. Nobody answers the question of an operation.
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
