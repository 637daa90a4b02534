// Package cli is the part of the command line for support and integrators. It works with a
// running Switchboard through the API, and needs neither the database nor Temporal.
//
// The environment or a profile says which server to use, with which key. The output is a
// table for people that fits the terminal, or, with --output, the API's answers as JSON or
// YAML. Exit codes are for scripts, see [ExitCode].
package cli

import (
	"context"
	"net/http"
	"time"

	"github.com/seed-49a43567/switchboard/client"
)

// Group is the name of the group of these commands and flags in the command line.
const Group = "client"

// Commands are the commands and their common flags.
type Commands struct {
	Deliveries    deliveriesCommand    `cmd:"" group:"client" help:"List, show, retry, cancel, hold, release and resend deliveries."`
	Events        eventsCommand        `cmd:"" group:"client" help:"Send events, and see what happened to them."`
	Subscriptions subscriptionsCommand `cmd:"" group:"client" help:"List, show, create, change, pause, resume and try subscriptions."`
	Operations    operationsCommand    `cmd:"" group:"client" help:"Act on all deliveries that match, or send events again."`
	Search        searchCommand        `cmd:"" group:"client" help:"Find ids, keys, tenants, hosts and names of subscriptions by a prefix."`
	Failures      failuresCommand      `cmd:"" group:"client" help:"Show what fails now, and failed in the last 24 hours, by host and kind of failure."`
	Status        statusCommand        `cmd:"" group:"client" help:"Show how many deliveries are open, whether one is overdue, and which workers run."`
	Actions       actionsCommand       `cmd:"" group:"client" help:"Show who changed what, when and why, newest first."`
	Whoami        whoamiCommand        `cmd:"" group:"client" help:"Show the API key that is used: its role, its tenant, and what it may read."`
	Completion    completionCommand    `cmd:"" group:"client" help:"Print the completion for a shell."`
	Complete      completeCommand      `cmd:"" hidden:""`

	Flags `embed:"" group:"client"`
}

// Flags are the flags of every command of this package.
type Flags struct {
	Profile string `env:"SWITCHBOARD_PROFILE" placeholder:"NAME" help:"Profile of the configuration file to use."`
	Actor   string `env:"SWITCHBOARD_ACTOR" placeholder:"PERSON" help:"Who acts, for the audit; without it the audit only has the key."`
	Output  output `short:"o" enum:"table,wide,json,yaml" default:"table" help:"Output format: ${enum}. wide cuts nothing and has more columns; json and yaml are the API's answers."`
}

// output is the format of answers.
type output string

const (
	outputTable output = "table"
	outputWide  output = "wide"
	outputJSON  output = "json"
	outputYAML  output = "yaml"
)

// machine reports whether programs read the output.
func (o output) machine() bool { return o == outputJSON || o == outputYAML }

// Session is one command's use of a server.
type Session struct {
	*Terminal
	flags   Flags
	answers *transcript
}

// Session makes the session for running a command on that terminal.
func (c *Commands) Session(t *Terminal) *Session {
	return &Session{Terminal: t, flags: c.Flags, answers: &transcript{next: http.DefaultTransport}}
}

const (
	// retries are enough for the replacement of a process.
	retries = 3
	// callTimeout is longer than the API's maximum wait for a receiver, 60 seconds.
	callTimeout = 90 * time.Second
)

// api connects to the server of the profile.
func (s *Session) api() (*client.Client, error) {
	p, err := s.profile()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{URL: p.URL, Key: p.Key, Retries: retries, HTTP: &http.Client{Transport: s.answers, Timeout: callTimeout}})
	if err != nil {
		return nil, usage("%s: %v", p.origin, err)
	}
	return c, nil
}

// options are for calls that change something: a repeated call does nothing twice.
func (s *Session) options() []client.Option {
	return append(s.actor(), client.IdempotencyKey(newKey()))
}

// actor is for calls that only leave a note.
func (s *Session) actor() []client.Option {
	if s.flags.Actor == "" {
		return nil
	}
	return []client.Option{client.Actor(s.flags.Actor)}
}

// act makes a call of the API and prints its answer.
func act[T any](s *Session, call func(*client.Client) (T, error), show func(T)) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	answer, err := call(api)
	if err != nil {
		return err
	}
	return s.print(s.answers.last, func() { show(answer) })
}

// pause waits, and reports whether to continue.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
