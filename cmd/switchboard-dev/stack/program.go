package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/seed-49a43567/switchboard"
)

const (
	// temporalWait is how long Switchboard waits for its Temporal server before it starts without
	// it. A server that is already built answers in a few seconds, and building it takes minutes.
	temporalWait = 30 * time.Second
	// answerPause is the interval at which the server is polled.
	answerPause = 100 * time.Millisecond
	// stopTimeout is how long a server may take to stop.
	stopTimeout = 30 * time.Second
)

// Program is a Temporal server that runs as a separate process.
type Program struct {
	Name  string        // its name for people
	Build []string      // the command that builds it first; nil: already built
	Costs time.Duration // time of one processor for the first build
	Serve []string      // the command that runs it until it is interrupted, or its standard input ends
}

// process is a program that is being built, or that runs.
type process struct {
	Program
	config TemporalConfig
	ready  chan struct{} // closed when it answers
	ended  chan error    // gets the reason why it has ended
}

// start builds and starts the program. It returns when the server answers, or while it is still
// being built.
func (p Program) start(ctx context.Context, c TemporalConfig) (Temporal, error) {
	r := &process{Program: p, config: c, ready: make(chan struct{}), ended: make(chan error, 1)}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := r.run(running); running.Err() == nil {
			r.ended <- err
		}
	}()
	stop := func() error {
		cancel()
		<-stopped
		return nil
	}
	select {
	case <-r.ready:
	case <-time.After(temporalWait):
		c.Progress("Switchboard starts meanwhile: it accepts events, and delivers them when Temporal is there")
	case err := <-r.ended:
		return Temporal{}, err
	case <-ctx.Done():
		return Temporal{}, errors.Join(ctx.Err(), stop())
	}
	return Temporal{Options: client.Options{HostPort: c.Addr}, Ended: r.ended, Stop: stop}, nil
}

// run returns why the server ended.
func (r *process) run(ctx context.Context) error {
	if r.Build != nil {
		if err := r.build(ctx); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(filepath.Join(r.config.Dir, "temporal.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := command(ctx, r.Serve)
	cmd.Stdout, cmd.Stderr = log, log
	if _, err := cmd.StdinPipe(); err != nil { // it ends with us, however we end
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s: %w", r.Name, err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = cmd.Wait() // its state says how it ended
	}()
	if r.awaitAnswer(ctx, exited) {
		r.config.Progress("Temporal answers on " + r.config.Addr + ", from " + r.Name)
		close(r.ready)
	}
	<-exited
	return fmt.Errorf("%s has ended (%s): its log is %s", r.Name, cmd.ProcessState, log.Name())
}

// awaitAnswer returns when the server answers, or returns false when its process has ended.
func (r *process) awaitAnswer(ctx context.Context, exited <-chan struct{}) bool {
	again := time.NewTicker(answerPause)
	defer again.Stop()
	for !answers(ctx, r.config.Addr) {
		select {
		case <-exited:
			return false
		case <-again.C:
		}
	}
	return true
}

// answers reports whether a Temporal server is healthy.
func answers(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: addr, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	if err != nil {
		return false
	}
	defer c.Close()
	_, err = c.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err == nil
}

// build builds the program, and says how long that takes and took.
func (r *process) build(ctx context.Context) error {
	processors := runtime.NumCPU()
	about := (r.Costs / time.Duration(processors)).Round(time.Minute)
	r.config.Progress(fmt.Sprintf("building %s: about %s on %d processors the first time, then some seconds", r.Name, switchboard.Duration(about), processors))
	start := time.Now()
	built := make(chan error, 1)
	go func() {
		output, err := command(ctx, r.Build).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s: %w\n%s", strings.Join(r.Build, " "), err, output)
		}
		built <- err
	}()
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case err := <-built:
			if err == nil {
				r.config.Progress(fmt.Sprintf("built it in %s", time.Since(start).Round(time.Second)))
			}
			return err
		case <-minute.C:
			r.config.Progress(fmt.Sprintf("still building it, for %s", time.Since(start).Round(time.Minute)))
		}
	}
}

// command makes a command that is interrupted when ctx ends. Ctrl-C in the terminal only reaches
// us: the server ends after Switchboard.
func command(ctx context.Context, line []string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	return cmd
}
