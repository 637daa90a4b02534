// Package deploy has only tests. They check what operators get against the Temporal server, the
// schemas and the code that it is for.
package deploy

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/store/postgres/pgtest"
	"github.com/seed-49a43567/switchboard/worker"
)

var pg = pgtest.New(nil)

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }

// The example names every variable, and the binary accepts it except for the one secret that it
// must not contain.
func TestEnvironment(t *testing.T) {
	example := environment(t, "switchboard.env.example")
	var names []string
	for name, value := range example {
		if strings.HasPrefix(name, "SWITCHBOARD_") {
			names = append(names, name)
		}
		t.Setenv(name, value)
	}
	slices.Sort(names)
	if diff := cmp.Diff(variables(), names); diff != "" {
		t.Errorf("variables of the binary (-) and of the example (+):\n%s", diff)
	}
	settings := read(t, "../docs/settings.md")
	for _, name := range variables() {
		if !strings.Contains(settings, "| `"+name+"`") && !strings.Contains(settings, ", `"+name+"`") {
			t.Errorf("the table of docs/settings.md lacks %s", name)
		}
	}

	var config app.Config
	parser, err := kong.New(&config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	err = config.Check()
	if err == nil || !strings.Contains(err.Error(), "SWITCHBOARD_ENCRYPTION_KEY is not set") || strings.Count(err.Error(), "SWITCHBOARD_") != 1 {
		t.Errorf("validation says %v, and should miss the encryption key alone", err)
	}
	t.Setenv("SWITCHBOARD_ENCRYPTION_KEY", "k1:"+strings.Repeat("A", 43)+"=")
	if _, err := parser.Parse(nil); err != nil {
		t.Fatal(err)
	}
	if err := config.Check(); err != nil {
		t.Errorf("with an encryption key: %v", err)
	}
}

// environment reads a file of NAME=value lines.
func environment(t *testing.T, file string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(read(t, file)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if _, twice := found[name]; !ok || twice || strings.ContainsAny(value, `"' `) {
			t.Errorf("%s: %q is not one NAME=value that systemd and Docker read alike", file, line)
		}
		found[name] = value
	}
	return found
}

// variables lists the environment variables of the configuration, sorted.
func variables() []string {
	var names []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[app.Config]()) {
		if name, ok := field.Tag.Lookup("env"); ok {
			names = append(names, name)
		}
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[app.ConsoleConfig]()) {
		names = append(names, field.Tag.Get("env"))
	}
	slices.Sort(names)
	return names
}

// A worker that is killed before its attempts have ended makes them twice.
func TestStopTimeouts(t *testing.T) {
	t.Parallel()
	// The worker adds 5 s to the longest attempt, and the process stops the rest within 10 s.
	longest := time.Duration(switchboard.MaxTimeout) + 15*time.Second
	line := regexp.MustCompile(`(?m)^TimeoutStopSec=(\d+)$`)
	for file, atLeast := range map[string]time.Duration{
		"systemd/switchboard-worker.service": longest,
		"systemd/switchboard-api.service":    15 * time.Second,
	} {
		found := line.FindStringSubmatch(read(t, file))
		if found == nil {
			t.Errorf("%s: no TimeoutStopSec", file)
			continue
		}
		seconds, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		if got := time.Duration(seconds) * time.Second; got < atLeast {
			t.Errorf("%s: TimeoutStopSec is %s, and stopping may take %s", file, got, atLeast)
		}
	}
}

// What operators are told to register and to look at exists.
func TestNamesInDocuments(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	for _, attribute := range worker.SearchAttributes() {
		if strings.Count(readme, attribute) < 2 { // in both commands
			t.Errorf("README.md does not tell how to register %s everywhere", attribute)
		}
	}
	var code strings.Builder
	for _, file := range []string{"../activities/metrics.go", "../activities/operate.go", "../api/rest/metrics.go", "../api/rest/limits.go", "../ingest/ingest.go",
		"../cmd/switchboard/app/telemetry.go", "../cmd/switchboard/app/telemetry_flow.go", "../cmd/switchboard/app/telemetry_checks.go"} {
		code.WriteString(read(t, file))
	}
	// deploy/check/alerts checks the alerts and the dashboard against running processes.
	documents := readme + read(t, "../docs/api.md") + read(t, "../docs/telemetry.md") + read(t, "../docs/runbook.md")
	named := regexp.MustCompile(`\bswitchboard_[a-z_]*[a-z]\b`).FindAllString(documents, -1)
	if len(named) < 50 {
		t.Fatalf("the documents name %d metrics only", len(named))
	}
	suffix := regexp.MustCompile(`(_total|_seconds(_bucket|_count)?)$`) // the exporter adds it
	for _, name := range named {
		if !strings.Contains(code.String(), `"`+suffix.ReplaceAllString(name, "")+`"`) {
			t.Errorf("a document names %s, which nothing measures", name)
		}
	}
}

// TestRunbookNamesEachAlert: a person who is woken by an alert finds its name.
func TestRunbookNamesEachAlert(t *testing.T) {
	t.Parallel()
	alerts := regexp.MustCompile(`(?m)- alert: (\w+)$`).FindAllStringSubmatch(read(t, "alerts.yaml"), -1)
	if len(alerts) < 20 {
		t.Fatalf("found %d alerts: the test looks in the wrong place", len(alerts))
	}
	runbook := read(t, "../docs/runbook.md")
	for _, alert := range alerts {
		if !strings.Contains(runbook, "| `"+alert[1]+"`") && !strings.Contains(runbook, ", `"+alert[1]+"`") {
			t.Errorf("the table of docs/runbook.md lacks %s", alert[1])
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
