package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard/store/postgres"
)

// TestProductionSteps runs the first two steps of deploy/README.md unchanged, as far as they
// concern Postgres and the programs of Temporal's server: roles and databases, the schema, and the
// same after an upgrade. The server accepts our settings.
func TestProductionSteps(t *testing.T) {
	t.Parallel()
	const password = "of-the-test"
	folder := t.TempDir()
	for program, source := range map[string]string{"temporal-sql-tool": temporalSQLTool, "temporal-server": temporalServer} {
		if err := os.Symlink(temporalProgram(t, source), filepath.Join(folder, program)); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	dir, err := os.MkdirTemp("", "switchboard-production-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	pg := startStockPostgres(t, postgres.Config{Dir: filepath.Join(dir, "postgres"), Port: port}, password)
	for statement := range strings.SplitSeq(strings.TrimSpace(blocksOf(t, "deploy/README.md", "sql")[0]), "\n") {
		pg.psql("postgres", "-c", strings.ReplaceAll(statement, "'…'", "'"+password+"'"))
	}

	run := func(script string) (printed string) {
		t.Helper()
		shell := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", script)
		shell.Env = []string{"PATH=" + folder + ":" + os.Getenv("PATH")}
		output, err := shell.CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", script, err, output)
		}
		return string(output)
	}
	schema := strings.NewReplacer("SQL_HOST=…", "SQL_HOST=127.0.0.1", "SQL_PORT=5432", "SQL_PORT="+strconv.Itoa(port), "SQL_PASSWORD=…", "SQL_PASSWORD="+password).
		Replace(blockWith(t, "temporal-sql-tool"))
	run(schema)
	var upgrade []string
	for line := range strings.Lines(schema) {
		if !strings.Contains(line, "setup-schema") {
			upgrade = append(upgrade, line)
		}
	}
	run(strings.Join(upgrade, ""))

	said := run("temporal-server validate-dynamic-config ../../../deploy/temporal/dynamicconfig.yaml")
	if strings.Contains(said, "warning") || strings.Contains(said, "error") {
		t.Errorf("the server says of our settings: %s", said)
	}
}

// runOfDeployment says for each shell block of deploy/README.md, by a command in it, which test
// runs it or why none does.
func runOfDeployment() map[string]string {
	return map[string]string{
		"temporal-sql-tool": "TestProductionSteps",
		"docker compose":    "TestCompose",
		"temporal operator": "none: the programs temporal and tcld are not here; TestNamesInDocuments checks the names",
	}
}

// blockWith is the shell block of deploy/README.md that has the command.
func blockWith(t *testing.T, command string) string {
	t.Helper()
	for _, block := range blocksOf(t, "deploy/README.md", "sh") {
		if strings.Contains(block, command) {
			return block
		}
	}
	t.Fatalf("deploy/README.md has no %s", command)
	return ""
}

// Each shell block of deploy/README.md is run by a test, or listed with a reason.
func TestDeploymentBlocks(t *testing.T) {
	t.Parallel()
	for _, block := range blocksOf(t, "deploy/README.md", "sh") {
		known := 0
		for command := range runOfDeployment() {
			if strings.Contains(block, command) {
				known++
			}
		}
		if known != 1 {
			t.Errorf("who runs this block?\n%s", block)
		}
	}
	for command := range runOfDeployment() {
		blockWith(t, command)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	_, text, _ := strings.Cut(freeAddr(t), ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
