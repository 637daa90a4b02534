package e2e

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed-49a43567/switchboard/store/postgres"
)

// up starts a service after those that it waits for, and returns when it is healthy. It runs a step
// to its end.
func (c *composed) up(service string) {
	c.t.Helper()
	if c.isUp[service] {
		return
	}
	s, is := c.services[service]
	if !is {
		c.t.Fatalf("compose.yaml has no service %s", service)
	}
	for _, dependency := range slices.Sorted(maps.Keys(s.DependsOn)) {
		c.up(dependency)
	}
	switch {
	case service == "postgres":
		c.startPostgres()
		c.awaitHealthy(service)
	case c.isStep(service):
		c.runStep(service)
	default:
		c.start(service)
		c.awaitHealthy(service)
	}
	c.isUp[service] = true
}

// isStep reports whether another service waits for the end of this one.
func (c *composed) isStep(service string) bool {
	for _, other := range c.services {
		if other.DependsOn[service] == "service_completed_successfully" {
			return true
		}
	}
	return false
}

// line is the command line of a service.
func (c *composed) line(service string) []string {
	s, image := c.services[service], c.imageOf(service)
	if s.Entrypoint != nil {
		image.entrypoint = s.Entrypoint
	}
	return slices.Concat(image.entrypoint, s.Command, image.more)
}

// runStep runs a step to its end. After a failure it repeats it, as often and with the same pauses
// as Docker.
func (c *composed) runStep(service string) {
	c.t.Helper()
	again, err := strconv.Atoi(strings.TrimPrefix(c.services[service].Restart, "on-failure:"))
	if err != nil {
		c.t.Fatalf("%s: restart %q", service, c.services[service].Restart)
	}
	for pause := 100 * time.Millisecond; ; pause *= 2 {
		printed, err := c.command(c.t.Context(), service, c.line(service)).CombinedOutput()
		if err == nil {
			c.printed[service] = string(printed)
			return
		}
		c.t.Logf("%s: %v\n%s", service, err, printed)
		if again == 0 {
			c.t.Fatalf("%s fails for good", service)
		}
		again--
		<-time.After(pause)
	}
}

// run runs a command line in a service to its end, and returns its output.
func (c *composed) run(service string, line []string) string {
	c.t.Helper()
	command := c.command(c.t.Context(), service, line)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		c.t.Fatalf("%s %v: %v\n%s%s", service, line, err, printed, &complaints)
	}
	return string(printed)
}

// startPostgres starts the server with the settings of its command. The first start does what the
// image does: there is a superuser named postgres, and the mounted script runs.
func (c *composed) startPostgres() {
	c.t.Helper()
	s := c.services["postgres"]
	settings := map[string]string{"listen_addresses": c.addresses["postgres"]}
	for i, argument := range s.Command {
		if name, value, is := strings.Cut(argument, "="); is && s.Command[i-1] == "-c" {
			settings[name] = value
		}
	}
	passwords, err := filepath.Glob(c.path("/secrets/postgres/*"))
	if err != nil || len(passwords) == 0 {
		c.t.Fatalf("%v, %v", passwords, err)
	}
	for _, file := range passwords { // they belong to another user than our server's
		if err := os.Chmod(file, 0o444); err != nil {
			c.t.Fatal(err)
		}
	}
	password := string(c.read(c.here("postgres", s.Environment["POSTGRES_PASSWORD_FILE"])))
	server := startStockPostgres(c.t, postgres.Config{Dir: c.path("postgres"), Port: 5432, Settings: settings}, password)
	for _, m := range s.Mounts {
		if strings.HasPrefix(m.Target, "/docker-entrypoint-initdb.d/") {
			server.psql("postgres", "-f", c.path(m.Target))
		}
	}
}

// composeProcess is a running service.
type composeProcess struct {
	command *exec.Cmd
	log     logBuffer
	ended   chan struct{}
	err     error // how it ended
}

func (c *composed) start(service string) {
	c.t.Helper()
	p := &composeProcess{command: c.command(context.Background(), service, c.line(service)), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = &p.log, &p.log
	if err := p.command.Start(); err != nil {
		c.t.Fatal(err)
	}
	go func() {
		p.err = p.command.Wait()
		close(p.ended)
	}()
	c.running[service] = p
	c.t.Cleanup(func() {
		_ = p.command.Process.Kill() // it may have ended
		<-p.ended
	})
}

// awaitHealthy makes the file's health check, in the container.
func (c *composed) awaitHealthy(service string) {
	c.t.Helper()
	check := slices.Clone(c.services[service].Healthcheck)
	if len(check) < 2 || check[0] != "CMD" {
		c.t.Fatalf("%s is checked by %v", service, check)
	}
	for i := range check {
		check[i] = strings.ReplaceAll(check[i], "127.0.0.1", c.addresses[service])
	}
	await(c.t, service+" healthy", func() bool {
		if p := c.running[service]; p != nil {
			select {
			case <-p.ended:
				c.t.Fatalf("%s has ended: %v\n%s", service, p.err, p.log.String())
			default:
			}
		}
		err := c.command(c.t.Context(), service, check[1:]).Run()
		var missing *exec.Error
		if errors.As(err, &missing) {
			c.t.Fatalf("%s is checked by %v: %v", service, check, err)
		}
		return err == nil
	})
}

// down stops a service in the way of Docker, and requires that it ends without a failure.
func (c *composed) down(service string) {
	c.t.Helper()
	p := c.running[service]
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	<-p.ended
	if p.err != nil {
		c.t.Errorf("%s: %v\n%s", service, p.err, p.log.String())
	}
}

// url returns an address of a service, for a port of its container.
func (c *composed) url(service string, port int, path string) string {
	return "http://" + c.addresses[service] + ":" + strconv.Itoa(port) + path
}
