// Command switchboard is the production binary: the API, the worker, both in one process, and the
// commands for setup and administration.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/app"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/cli"
)

// serverGroup is the group of the commands that work on the database, and of their settings.
const serverGroup = "server"

// commands is the command line.
type commands struct {
	app.Config `embed:"" group:"server"`

	Serve   serveCommand   `cmd:"" group:"server" help:"Run the API and the worker in one process."`
	API     apiCommand     `cmd:"" group:"server" name:"api" help:"Run the API."`
	Worker  workerCommand  `cmd:"" group:"server" help:"Run the worker."`
	Migrate migrateCommand `cmd:"" group:"server" help:"Bring the database's schema up to date."`
	Setup   setupCommand   `cmd:"" group:"server" help:"Create the namespace and the search attributes on the Temporal server at TEMPORAL_ADDRESS. Existing ones are not changed."`
	Keys    keysCommand    `cmd:"" group:"server" help:"Create, list and revoke API keys."`
	Erase   eraseCommand   `cmd:"" group:"server" help:"Erase a tenant, or the content of an event."`
	Verify  verifyCommand  `cmd:"" group:"server" help:"Check every promise on the live database and in Temporal, without changing anything. Exits with 1 if a promise is broken, and with 2 if none was found broken but some checks took too long."`

	cli.Commands `embed:""`

	Healthcheck healthcheckCommand `cmd:"" group:"server" help:"Ask the process that listens on SWITCHBOARD_LISTEN whether it is ready. Exits with 0 if it is, otherwise with 1."`
	Version     versionCommand     `cmd:"" help:"Print the version, the commit, the version of the schema that this binary needs, the Go version and the platform."`
	VersionFlag kong.VersionFlag   `name:"version" help:"Show the version."`
}

type (
	serveCommand   struct{}
	apiCommand     struct{}
	workerCommand  struct{}
	migrateCommand struct{}
	setupCommand   struct {
		NamespaceRetention switchboard.Duration `placeholder:"72h" help:"How long Temporal keeps closed workflows in a new namespace, for its UI. Default: 72h."`
	}
	healthcheckCommand struct{}
	keysCommand        struct {
		Create createKeyCommand `cmd:"" help:"Create a key. Prints its id, and on the second line the key, which is only shown now."`
		List   listKeysCommand  `cmd:"" help:"List the keys."`
		Revoke revokeKeyCommand `cmd:"" help:"Revoke a key at once."`
	}
	createKeyCommand struct {
		Name   string           `required:"" help:"What the key is for."`
		Role   switchboard.Role `required:"" help:"admin, publisher, integrator, support or viewer."`
		Tenant *string          `help:"The tenant that the key is bound to. Default: all tenants."`
		// TTL is a text because it may be in days, which kong's durations do not support.
		TTL switchboard.Duration `name:"ttl" placeholder:"90d" help:"How long the key is valid, such as 90d or 720h. Default: for ever."`

		ReadPayload *bool `negatable:"" help:"Whether the key may read event data, bodies, paths and queries of URLs, and all headers. Default: yes, except for support and viewer."`
	}
	eraseCommand struct {
		Tenant eraseTenantCommand `cmd:"" help:"Erase everything of a tenant: keys, subscriptions, events, deliveries. Open deliveries are cancelled."`
		Event  eraseEventCommand  `cmd:"" help:"Erase the data of an event, and the requests and responses of its attempts. The rows stay."`
	}
	eraseTenantCommand struct {
		Name   string `arg:"" help:"The tenant."`
		Reason string `required:"" help:"The reason, which is kept."`
		Wait   bool   `help:"Show the progress until everything is erased."`
	}
	eraseEventCommand struct {
		ID     string `arg:"" help:"The event's id."`
		Tenant string `help:"Its tenant; needed if several tenants have an event with this id."`
		Reason string `required:"" help:"The reason, which is kept."`
		Wait   bool   `help:"Wait until it is erased."`
	}
	verifyCommand struct {
		JSON         bool `name:"json" help:"Print one JSON document."`
		SkipTemporal bool `help:"Check only the database."`
	}
	listKeysCommand  struct{}
	revokeKeyCommand struct {
		ID     string `arg:"" help:"The key's id (key_…)."`
		Reason string `required:"" help:"The reason, which the audit keeps."`
	}
)

func main() {
	app.SetGC()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], cli.NewTerminal(os.Stdin, os.Stdout, os.Stderr, os.Getenv))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "switchboard:", err)
	}
	os.Exit(exitCode(err))
}

// exitCode returns the exit code of a command that ended with err. Two cases of the commands that
// work on the database have a separate code: for a wrong flag it is kong's, and verify has 2 if it
// could not check something.
func exitCode(err error) int {
	if errors.Is(err, app.ErrUnchecked) {
		return 2
	}
	if wrong, ok := errors.AsType[*kong.ParseError](err); ok && ofServer(wrong.Context) {
		return wrong.ExitCode()
	}
	return cli.ExitCode(err)
}

// run runs the command of a command line.
func run(ctx context.Context, line []string, terminal *cli.Terminal) error {
	var c commands
	parser, err := newParser(ctx, &c)
	if err != nil {
		return err
	}
	parsed, err := parser.Parse(line)
	if err != nil {
		return err
	}
	return parsed.Run(c.Config, c.Session(terminal))
}

// newParser makes the parser of the command line.
func newParser(ctx context.Context, c *commands) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("switchboard"),
		kong.Description("Delivers a support platform's events as webhooks, for as long as it takes."),
		kong.Vars{"version": switchboard.Version},
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.ExplicitGroups([]kong.Group{
			{Key: serverGroup, Title: "Run and administrate a server:"},
			{Key: cli.Group, Title: "Work with a running server, over its API:"},
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Help(help),
	)
}

// ofServer reports whether a command is one of those that work on the database.
func ofServer(parsed *kong.Context) bool {
	for command := parsed.Selected(); command != nil; command = command.Parent {
		if command.Group != nil {
			return command.Group.Key == serverGroup
		}
	}
	return false
}

func (serveCommand) Run(ctx context.Context, c app.Config) error {
	return app.Run(ctx, c, app.Parts{API: true, Worker: true}, c.Logger())
}

func (apiCommand) Run(ctx context.Context, c app.Config) error {
	return app.Run(ctx, c, app.Parts{API: true}, c.Logger())
}

func (workerCommand) Run(ctx context.Context, c app.Config) error {
	return app.Run(ctx, c, app.Parts{Worker: true}, c.Logger())
}

func (migrateCommand) Run(ctx context.Context, c app.Config) error {
	return app.Migrate(ctx, c, os.Stdout)
}

func (healthcheckCommand) Run(ctx context.Context, c app.Config) error {
	return app.Healthcheck(ctx, c, os.Stdout)
}

func (c setupCommand) Run(ctx context.Context, config app.Config) error {
	return app.Setup(ctx, config, time.Duration(c.NamespaceRetention), os.Stdout)
}

func (k createKeyCommand) Run(ctx context.Context, c app.Config) error {
	return app.CreateKey(ctx, c, app.NewKey{Name: k.Name, Role: k.Role, Tenant: k.Tenant, TTL: time.Duration(k.TTL), ReadPayload: k.ReadPayload}, os.Stdout)
}

func (listKeysCommand) Run(ctx context.Context, c app.Config) error {
	return app.ListKeys(ctx, c, os.Stdout)
}

func (k revokeKeyCommand) Run(ctx context.Context, c app.Config) error {
	return app.RevokeKey(ctx, c, k.ID, k.Reason, os.Stdout)
}

func (e eraseTenantCommand) Run(ctx context.Context, c app.Config) error {
	if e.Name == "" { // for example from an unset shell variable
		return switchboard.InvalidField("name", "is empty: name the tenant")
	}
	return app.Erase(ctx, c, app.ErasureRequest{Tenant: e.Name, Reason: e.Reason, Wait: e.Wait}, os.Stdout)
}

func (e eraseEventCommand) Run(ctx context.Context, c app.Config) error {
	if e.ID == "" {
		return switchboard.InvalidField("id", "is empty: name the event")
	}
	return app.Erase(ctx, c, app.ErasureRequest{Tenant: e.Tenant, EventID: e.ID, Reason: e.Reason, Wait: e.Wait}, os.Stdout)
}

func (v verifyCommand) Run(ctx context.Context, c app.Config) error {
	return app.Verify(ctx, c, app.VerifyOptions{JSON: v.JSON, SkipTemporal: v.SkipTemporal}, os.Stdout)
}
