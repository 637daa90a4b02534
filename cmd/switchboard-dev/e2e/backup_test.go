package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/temporalserver"
	"github.com/seed-49a43567/switchboard/worker"
)

// TestBackupDrill runs the blocks of docs/backup.md: a backup during operation, the loss of
// everything, and a restore, once with a new namespace of an empty Temporal, and once with
// Temporal's own dumps.
func TestBackupDrill(t *testing.T) {
	t.Parallel()
	for name, withTemporal := range map[string]bool{"a new namespace": false, "dumps of Temporal": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drill(t, withTemporal)
		})
	}
}

func drill(t *testing.T, withTemporal bool) {
	const each = 8
	d := newDrill(t)
	d.startTemporal()
	d.start()
	ill, well := newRecoveringReceiver(t)
	steady := newReceiver(t, 200)
	soon := fields{"initial_interval": "3s", "backoff_coefficient": 1, "maximum_attempts": 100} // it lasts longer than the test
	d.subscribe(ill.URL, fields{"events": []string{"waiting"}, "breaker": fields{"mode": "off"}, "retry": soon})
	paused, _ := d.subscribe(steady.URL, fields{"events": []string{"held"}})
	d.subscribe(steady.URL, fields{"events": []string{"ticket.*"}})
	if _, err := d.api().PauseSubscription(t.Context(), paused, "test"); err != nil {
		t.Fatal(err)
	}
	var delivered, waiting, held []string
	for i := range each {
		delivered = append(delivered, d.post("ticket.before", fmt.Sprint(i)))
		waiting = append(waiting, d.post("waiting", fmt.Sprint(i)))
		held = append(held, d.post("held", fmt.Sprint(i)))
	}
	await(t, "delivered, retrying and held", func() bool {
		return d.count("delivered") == each && d.count("retrying") == each && d.count("held") == each
	})

	backup := shellBlocks(t, "docs/backup.md", "Back up", "Restore Switchboard")
	if len(backup) != 2 {
		t.Fatalf("%d blocks", len(backup))
	}
	if !withTemporal {
		backup = backup[1:]
	}
	for _, block := range backup {
		d.shell(block)
	}
	lost := d.postAgain(each) // after the backup
	await(t, "all delivered", func() bool { return d.count("delivered") == 2*each })
	d.stopGracefully()
	d.stopTemporal()
	d.dropDatabases()

	said := d.shell(shellBlocks(t, "docs/backup.md", "Restore Switchboard", "Restore Temporal, or not")[0])
	if !strings.Contains(said, "encryption keys: they are this database's") {
		t.Errorf("migrate says nothing of the keys: %s", said)
	}
	if withTemporal {
		d.shell(shellBlocks(t, "docs/backup.md", "Restore Temporal, or not", "Start and check")[0])
	} else {
		d.namespace = namespaceOf(t)
	}
	d.startTemporal()
	d.start()
	well()
	if again := d.postAgain(each); slices.ContainsFunc(again, func(id string) bool { return slices.Contains(lost, id) }) {
		t.Error("an event that was lost has its former delivery")
	}
	if _, err := d.api().ResumeSubscription(t.Context(), paused, ""); err != nil {
		t.Fatal(err)
	}
	for _, block := range shellBlocks(t, "docs/backup.md", "Start and check", "What is missing, and what comes twice") {
		d.shell(block)
	}
	for _, id := range slices.Concat(delivered, waiting, held) {
		checkAttempts(t, d.awaitState(id, "delivered"))
	}
	awaitFor(t, loadTimeout, "nothing open", func() bool { return d.count("pending,retrying,held,blocked") == 0 })
	if n := d.count("delivered"); n != 4*each {
		t.Errorf("%d delivered; want %d", n, 4*each)
	}
	// Deliveries that were final before the backup are not sent again.
	requests := requestsByID(steady)
	for _, id := range delivered {
		if requests[id] != 1 {
			t.Errorf("%s was sent %d times", id, requests[id])
		}
	}
	d.awaitNothingOpen()
	d.stopGracefully()
	d.stopTemporal()
}

// drilled is a Switchboard whose databases, including Temporal's, are in a separate Postgres.
type drilled struct {
	*process
	postgres *ownPostgres
	temporal temporalserver.Config
	server   *temporalserver.Server
	folder   string
}

func newDrill(t *testing.T) *drilled {
	t.Helper()
	for _, program := range []string{"psql", "pg_dump", "pg_restore"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: `make receivers` installs it", err)
		}
	}
	d := &drilled{postgres: newOwnPostgres(t), folder: t.TempDir()}
	for _, name := range []string{"backup", "keys"} {
		if err := os.Mkdir(filepath.Join(d.folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	d.temporal = temporalserver.Config{DatabaseURL: d.postgres.server.URL("temporal"), Keywords: worker.SearchAttributes()}
	s := localSystem(t, d.postgres.url(), "", namespaceOf(t))
	d.process = &process{system: s, binary: built.path(t)}
	t.Cleanup(d.kill)
	d.key = d.newAdminKey()
	return d
}

// startTemporal starts a server on the existing databases.
func (d *drilled) startTemporal() {
	d.t.Helper()
	server, err := temporalserver.Start(d.t.Context(), d.temporal)
	if err != nil {
		d.t.Fatal(err)
	}
	d.server, d.temporalAddr = server, server.Addr()
	d.t.Cleanup(d.stopTemporal)
}

func (d *drilled) stopTemporal() {
	if d.server == nil {
		return
	}
	if err := d.server.Stop(); err != nil {
		d.t.Errorf("stop Temporal: %v", err)
	}
	d.server = nil
}

func (d *drilled) dropDatabases() {
	d.t.Helper()
	for _, name := range []string{"switchboard", "temporal", "temporal_visibility"} {
		if err := d.postgres.server.DropDatabase(d.t.Context(), name); err != nil {
			d.t.Fatal(err)
		}
	}
}

// shell runs a block of the document with the variables that it names.
func (d *drilled) shell(block string) (said string) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), loadTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", block)
	command.Env = append(d.command().Env, "PATH="+filepath.Dir(d.binary)+":"+os.Getenv("PATH"),
		"BACKUP="+filepath.Join(d.folder, "backup"), "KEYS="+filepath.Join(d.folder, "keys"),
		"POSTGRES_URL="+d.postgres.server.URL("postgres"), "TEMPORAL_URL="+d.postgres.server.URL("temporal"), "TEMPORAL_VISIBILITY_URL="+d.postgres.server.URL("temporal_visibility"))
	out, err := command.CombinedOutput()
	if err != nil {
		d.t.Fatalf("%v in\n%s\n%s", err, block, out)
	}
	return string(out)
}

// postAgain posts that many events with the platform's ids, and returns their deliveries.
func (d *drilled) postAgain(n int) []string {
	d.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		a := d.call(http.MethodPost, "/v1/events", fields{"tenant": "acme", "type": "ticket.later", "id": fmt.Sprintf("later-%d", i), "data": i})
		accepted := as[client.Acceptance](d.t, a)
		if a.status != http.StatusAccepted || len(accepted.Deliveries) != 1 {
			d.t.Fatalf("answered %d %s", a.status, a.body)
		}
		ids[i] = accepted.Deliveries[0].ID
	}
	return ids
}
