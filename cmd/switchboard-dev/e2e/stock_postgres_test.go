package e2e

import (
	"net/url"
	"os/exec"
	"testing"

	"github.com/seed-49a43567/switchboard/store/postgres"
)

// stockPostgres is a separate Postgres in its original state: its superuser is named postgres, and
// it has no role or database of ours.
type stockPostgres struct {
	t      *testing.T
	server *postgres.Server
}

func startStockPostgres(t *testing.T, config postgres.Config, password string) stockPostgres {
	t.Helper()
	server, err := postgres.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	p := stockPostgres{t, server}
	p.psql(postgres.User, "-c", "CREATE ROLE postgres SUPERUSER LOGIN PASSWORD '"+password+"'")
	p.psql("postgres", "-c", "ALTER ROLE "+postgres.User+" RENAME TO bootstrap") // because a role of ours has that name
	return p
}

// psql runs the client through the server's socket, as Postgres's image does with mounted scripts.
func (p stockPostgres) psql(user string, arguments ...string) {
	p.t.Helper()
	program, err := p.server.Program("psql")
	if err != nil {
		p.t.Fatal(err)
	}
	database, err := url.Parse(p.server.URL("postgres"))
	if err != nil {
		p.t.Fatal(err)
	}
	database.User = url.User(user)
	command := exec.CommandContext(p.t.Context(), program, append([]string{"-v", "ON_ERROR_STOP=1", "--no-psqlrc", "--quiet", database.String()}, arguments...)...)
	if output, err := command.CombinedOutput(); err != nil {
		p.t.Fatalf("psql %v: %v\n%s", arguments, err, output)
	}
}
