package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Command is the command line of the fault suite.
type Command struct {
	Switchboard string   `default:"bin/switchboard" help:"The production binary."`
	Only        []string `help:"Inflict these faults alone, by name; --list shows all."`
	List        bool     `help:"List the faults, and inflict none."`
	Rate        int      `default:"10" help:"Events posted a second."`
	Seconds     int      `default:"10" help:"For how long a fault lasts that is not over by itself."`
	DataDir     string   `help:"Folder for the logs; kept. A temporary one if left out, which is kept where something went wrong."`
	JSON        string   `name:"json" help:"File to write the outcomes to."`

	Out io.Writer `kong:"-"` // output for the table; nil: standard output
}

// Run causes the faults one after the other, prints the table and writes the file. Everything that
// it starts has ended when it returns. A lost event and a broken promise are errors.
func (c *Command) Run(ctx context.Context) error {
	out := cmp.Or[io.Writer](c.Out, os.Stdout)
	if c.List {
		return list(out)
	}
	chosen, err := c.chosen()
	if err != nil {
		return err
	}
	dir, remove, err := c.dataDir()
	if err != nil {
		return err
	}
	report, err := c.inflict(ctx, dir, chosen)
	if report.print(out); c.JSON != "" {
		err = errors.Join(err, report.write(c.JSON))
	}
	if err = errors.Join(err, report.err()); err != nil && ctx.Err() == nil {
		return fmt.Errorf("faults: %w (the logs are in %s)", err, dir)
	}
	return errors.Join(err, remove()) // after an interruption nobody needs the logs
}

// chosen are the faults to cause.
func (c *Command) chosen() ([]fault, error) {
	if runtime.GOOS == "windows" {
		return nil, errors.New("faults freeze processes by signals, which Windows does not have")
	}
	if c.Rate < 1 || c.Seconds < 1 {
		return nil, errors.New("--rate and --seconds must be at least 1")
	}
	if _, err := os.Stat(c.Switchboard); err != nil {
		return nil, fmt.Errorf("%w (build it with `make build`, or name it with --switchboard)", err)
	}
	every := faults()
	if len(c.Only) == 0 {
		return every, nil
	}
	var chosen []fault
	for _, name := range c.Only {
		i := slices.IndexFunc(every, func(f fault) bool { return f.name == name })
		if i < 0 {
			return nil, fmt.Errorf("--only: there is no fault %q; there are %s", name, strings.Join(names(every), ", "))
		}
		chosen = append(chosen, every[i])
	}
	return chosen, nil
}

func names(all []fault) []string {
	var list []string
	for _, f := range all {
		list = append(list, f.name)
	}
	return list
}

// inflict starts the stack, causes the faults and returns the outcome of each. After an error the
// report has the outcomes until then.
func (c *Command) inflict(ctx context.Context, dir string, chosen []fault) (_ *report, err error) {
	result := newReport(c)
	s, err := c.start(ctx, dir)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	for _, f := range chosen {
		s.log("%s: %s", f.name, f.what)
		o, err := s.try(ctx, f)
		if err != nil {
			return result, err
		}
		result.Outcomes = append(result.Outcomes, &o)
		s.log("%s: %d accepted, %d delivered, %d duplicates, flow after %.1f s, all after %.1f s", f.name, o.Accepted, o.Delivered, o.Duplicates, o.Flow, o.All)
		if err := o.err(); err != nil {
			s.log("FAILED %v", err)
		}
	}
	if err := s.untilNothingOpen(ctx); err != nil {
		return result, err
	}
	for _, o := range result.Outcomes {
		o.count(s.seen) // a later duplicate counts for the fault that caused it
	}
	result.End, err = s.stack.verify(ctx)
	return result, err
}

// start starts the stack, the receivers and their subscriptions.
func (c *Command) start(ctx context.Context, dir string) (_ *suite, err error) {
	s := &suite{Command: *c, seen: &arrivals{seen: map[string]*arrival{}}, log: progress}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	certificates, err := newCertificates(time.Now())
	if err != nil {
		return nil, err
	}
	authority := filepath.Join(dir, "authority.pem")
	if err := os.WriteFile(authority, certificates.authority, 0o600); err != nil {
		return nil, err
	}
	if s.receiver, err = startReceiver(s.seen); err != nil {
		return nil, err
	}
	if s.hostile, err = startHostile(s.seen, certificates); err != nil {
		return nil, err
	}
	s.log("starting Postgres, Temporal, %d APIs and %d workers in %s", instances, instances, dir)
	if s.stack, err = startStack(ctx, dir, c.Switchboard, authority, s.log); err != nil {
		return nil, err
	}
	var urls []string
	for _, api := range s.stack.apis {
		urls = append(urls, s.stack.url(api))
	}
	if s.apis, err = connect(urls, s.stack.key); err != nil {
		return nil, err
	}
	return s, s.subscribe(ctx)
}

// stop ends what was started, in reverse.
func (s *suite) stop() error {
	var errs []error
	if s.stack != nil {
		errs = append(errs, s.stack.stop())
	}
	for _, h := range s.hostile {
		errs = append(errs, h.close())
	}
	if s.receiver != nil {
		errs = append(errs, s.receiver.server.Close())
	}
	return errors.Join(errs...)
}

// dataDir makes the run's folder. remove is for the end of a successful run: after a failure, the
// logs say why.
func (c *Command) dataDir() (dir string, remove func() error, err error) {
	if c.DataDir == "" {
		if dir, err = os.MkdirTemp("", "switchboard-faults-"); err != nil {
			return "", nil, err
		}
		// Root's Postgres runs as another user, who must be able to enter its folder.
		return dir, func() error { return os.RemoveAll(dir) }, os.Chmod(dir, 0o711)
	}
	if dir, err = filepath.Abs(c.DataDir); err != nil {
		return "", nil, err
	}
	return dir, func() error { return nil }, os.MkdirAll(dir, 0o755)
}

// progress reports what happens, on standard error, so that standard output has only the table.
func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}
