package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Command is the command line of the benchmark.
type Command struct {
	Switchboard string `default:"bin/switchboard" help:"The production binary that is measured."`
	Rounds      int    `default:"6" help:"Rounds of Switchboard between those of the floor, after one of each to warm up."`
	Deliveries  int    `default:"4000" help:"Deliveries in a round."`
	Concurrency int    `default:"32" help:"Events posted, and bare workflows started, at a time."`
	Rate        int    `default:"50" help:"Events a second while latency is measured."`
	RateSeconds int    `default:"20" help:"For how long latency is measured."`
	Backoff     int    `default:"10000" help:"Deliveries in backoff while memory is measured."`
	History     int    `default:"5000000" help:"Old deliveries that are seeded for --only history, which takes some minutes and 3 KB of disk for each."`
	Lists       int    `default:"1000000" help:"Old deliveries that are seeded for --only lists."`
	Only        string `enum:",floor,ours,latency,memory,rendering,limits,history,lists,isolation,parked,traces" default:"" help:"Measure one thing: floor, ours, latency, memory, rendering, limits, history, lists, isolation, parked or traces; the last five are measured only when asked for."`

	Scenario         string `default:"abcdefg" help:"Bad traffic of --only isolation: a, 30 endpoints that hang at 0.5 events/s each; b, 60 at 1/s; c, 60 that answer after 3 s at 0.5/s; d, 200 that refuse at 1/s; e, as a of the healthy tenant itself; f, 520 events at once for one that hangs; g, fifty tabs of the console; h and i, as many endpoints and events as c and d have, answered at once."`
	IsolationSeconds int    `default:"60" help:"Of each window without bad traffic, and of the one beside it after its first time."`
	OnsetSeconds     int    `default:"60" help:"The first time of bad traffic, in which breakers open."`
	IsolationCap     int    `default:"100" help:"max_in_flight in scenario f: the largest that the binary allows."`

	Parked      int  `default:"100000" help:"Deliveries that are parked for --only parked."`
	ReleaseRate int  `default:"200" help:"At which they are released, in deliveries a second."`
	ParkedKill  bool `help:"Kill Switchboard, Temporal and Postgres in the middle of their release, and start them again."`

	DataDir string `help:"Folder for the databases and logs; kept. A temporary one if left out."`
	JSON    string `name:"json" help:"File to write everything to that was measured."`

	Out io.Writer `kong:"-"` // output for the table; nil: standard output
}

// Run measures, prints the table and writes the file. Everything that it starts has ended when it
// returns. Missed targets are no error: this is not a test.
func (c *Command) Run(ctx context.Context) error {
	if err := c.validate(); err != nil {
		return err
	}
	dir, remove, err := c.dataDir()
	if err != nil {
		return err
	}
	b := &bench{Command: *c, dir: dir, out: cmp.Or[io.Writer](c.Out, os.Stdout)}
	if err := b.measure(ctx); err != nil {
		if ctx.Err() != nil {
			err = errors.Join(err, remove()) // after an interruption nobody needs the logs
		}
		return fmt.Errorf("bench: %w", err)
	}
	return remove()
}

func (c *Command) validate() error {
	if runtime.GOOS != "linux" {
		return errors.New("the benchmark reads CPU and memory of processes from /proc, which only Linux has")
	}
	for _, f := range []struct {
		flag  string
		value int
	}{
		{"--rounds", c.Rounds}, {"--deliveries", c.Deliveries}, {"--concurrency", c.Concurrency},
		{"--rate", c.Rate}, {"--rate-seconds", c.RateSeconds}, {"--backoff", c.Backoff}, {"--history", c.History}, {"--lists", c.Lists},
		{"--isolation-seconds", c.IsolationSeconds}, {"--onset-seconds", c.OnsetSeconds}, {"--isolation-cap", c.IsolationCap}, {"--parked", c.Parked}, {"--release-rate", c.ReleaseRate},
	} {
		if f.value < 1 {
			return fmt.Errorf("%s must be at least 1", f.flag)
		}
	}
	if _, err := os.Stat(c.Switchboard); err != nil && c.Only != onlyFloor {
		return fmt.Errorf("%w (build it with `make build`, or name it with --switchboard)", err)
	}
	return nil
}

// dataDir makes the run's folder. remove is for the end of a successful run: after a failure, the
// logs say why.
func (c *Command) dataDir() (dir string, remove func() error, err error) {
	if c.DataDir == "" {
		if dir, err = os.MkdirTemp("", "switchboard-bench-"); err != nil {
			return "", nil, err
		}
		// Root's Postgres runs as another user, who must be able to enter its folder.
		return dir, func() error { return os.RemoveAll(dir) }, os.Chmod(dir, 0o711)
	}
	dir, err = filepath.Abs(c.DataDir)
	if err != nil {
		return "", nil, err
	}
	return dir, func() error { return nil }, os.MkdirAll(dir, 0o755)
}

// The values of --only.
const (
	onlyFloor     = "floor"
	onlyOurs      = "ours"
	onlyLatency   = "latency"
	onlyMemory    = "memory"
	onlyRendering = "rendering"
	onlyLimits    = "limits"
	onlyHistory   = "history"
	onlyLists     = "lists"
	onlyIsolation = "isolation"
	onlyParked    = "parked"
	onlyTraces    = "traces"
)

// bench is one run of the benchmark.
type bench struct {
	Command
	dir    string
	out    io.Writer
	stack  *stack
	report report
}

// does reports whether the run measures that.
func (b *bench) does(what string) bool { return b.Only == "" || b.Only == what }

func (b *bench) measure(ctx context.Context) (err error) {
	config := stackConfig{
		dir: b.dir, switchboard: b.Switchboard, floor: b.does(onlyFloor), serve: b.Only != onlyFloor, concurrency: b.Concurrency,
	}
	if seeded := map[string]int{onlyHistory: b.History, onlyLists: b.Lists}[b.Only]; seeded > 0 {
		if err := roomFor(b.dir, seeded); err != nil {
			return err
		}
		config.history = seeded
	}
	b.progress("starting the stack in %s", b.dir)
	if b.stack, err = startStack(ctx, config); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stack.stop()) }()

	b.report = newReport(b.Command)
	for _, phase := range []struct {
		wanted  bool
		measure func(context.Context) error
	}{
		{b.does(onlyFloor) || b.does(onlyOurs), b.measureRounds},
		{b.does(onlyLatency), b.measureLatency},
		{b.does(onlyMemory), b.measureMemory},
		{b.does(onlyRendering), b.measureRendering},
		{b.does(onlyLimits), b.measureLimits},
		{b.Only == onlyHistory, b.measureHistory},
		{b.Only == onlyLists, b.measureLists},
		{b.Only == onlyIsolation, b.measureIsolation},
		{b.Only == onlyParked, b.measureParked},
		{b.Only == onlyTraces, b.measureTraces},
	} {
		if !phase.wanted {
			continue
		}
		if err := phase.measure(ctx); err != nil {
			return err
		}
	}
	if err := b.report.print(b.out); err != nil {
		return err
	}
	if b.JSON == "" {
		return nil
	}
	return b.report.write(b.JSON)
}

// progress reports what happens, on standard error, so that standard output has only the table.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  "+format+"\n", append([]any{time.Now().Format(time.TimeOnly)}, args...)...)
}
