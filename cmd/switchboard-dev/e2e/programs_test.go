package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Temporal's own programs, in the versions of go.mod.
const (
	temporalServer  = "go.temporal.io/server/cmd/server"
	temporalSQLTool = "go.temporal.io/server/cmd/tools/sql"
	temporalUI      = "github.com/temporalio/ui-server/v2/cmd/server"
)

// temporalProgram builds one of Temporal's programs, and returns its path in Go's cache.
func temporalProgram(t *testing.T, source string) (file string) {
	t.Helper()
	return printedByGo(t, "tool", "-n", source)
}

// moduleFolder returns the folder with the source of a module.
func moduleFolder(t *testing.T, module string) string {
	t.Helper()
	return printedByGo(t, "list", "-m", "-f", "{{.Dir}}", module)
}

func printedByGo(t *testing.T, arguments ...string) string {
	t.Helper()
	var complaints strings.Builder
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", arguments, err, &complaints)
	}
	return strings.TrimSpace(string(printed))
}

// prometheusProgram returns Prometheus, or its promtool: this machine's, or else the one that `make
// prometheus` unpacks.
func prometheusProgram(t *testing.T, name string) (file string) {
	t.Helper()
	if file, err := exec.LookPath(name); err == nil {
		return file
	}
	unpacked := filepath.Join("../../../bin/debian/usr/bin", name)
	if _, err := os.Stat(unpacked); err != nil {
		t.Fatalf("%v: `make prometheus` unpacks it", err)
	}
	return unpacked
}

// prometheusFolder returns the folder with both.
func prometheusFolder(t *testing.T) string {
	t.Helper()
	folder, err := filepath.Abs(filepath.Dir(prometheusProgram(t, "prometheus")))
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// installProgram copies a program to a place where every user may run it.
func installProgram(t *testing.T, file, to string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}
