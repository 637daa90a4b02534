package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/seed-49a43567/switchboard/store/postgres"
)

// composeService is a service of compose.yaml, as Compose's own loader reads it.
type composeService struct {
	Command     []string
	Environment map[string]string
	Healthcheck []string
}

// composed is compose.yaml without containers. Its own scripts make secrets, roles and
// databases, and its services run as processes, with the environment of the file and nothing
// else. Three things are elsewhere than in a container: Postgres and Temporal, the folder of the
// secrets, and the port on which a process listens. And receivers are on loopback.
type composed struct {
	t        *testing.T
	services map[string]composeService
	secrets  string // folder
	here     *strings.Replacer
}

func newComposed(t *testing.T) *composed {
	t.Helper()
	c := &composed{t: t, services: composeConfig(t)}
	dir, err := os.MkdirTemp("", "switchboard-compose-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // the server's user has to enter it
		t.Fatal(err)
	}
	c.secrets = filepath.Join(dir, "secrets")
	c.makeSecrets()

	port := freePort(t)
	server, err := postgres.Start(t.Context(), postgres.Config{Dir: filepath.Join(dir, "postgres"), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	c.initPostgres(server)
	c.rewrite("switchboard/database_url", "@postgres:5432/", "@127.0.0.1:"+strconv.Itoa(port)+"/")
	c.here = strings.NewReplacer("/secrets/", c.secrets+"/", "temporal:7233", shared.addr(t))
	return c
}

// composeConfig reads compose.yaml by a program of the module that has Compose's loader.
func composeConfig(t *testing.T) map[string]composeService {
	t.Helper()
	var complaints bytes.Buffer
	command := exec.CommandContext(t.Context(), "go", "-C", "../../../deploy/check", "run", "./composeconfig", "../../compose.yaml")
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	var services map[string]composeService
	if err := json.Unmarshal(printed, &services); err != nil {
		t.Fatal(err)
	}
	return services
}

// makeSecrets runs the script of the service secrets, twice: the second time changes nothing.
func (c *composed) makeSecrets() {
	c.t.Helper()
	var first []byte
	for range 2 {
		script := exec.CommandContext(c.t.Context(), "sh", "../../../deploy/compose/secrets.sh")
		script.Env = []string{"PATH=" + os.Getenv("PATH"), "SECRETS_DIR=" + c.secrets}
		if output, err := script.CombinedOutput(); err != nil {
			c.t.Fatalf("secrets.sh: %v\n%s", err, output)
		}
		files, err := filepath.Glob(c.secrets + "/*/*")
		if err != nil || len(files) != 7 {
			c.t.Fatalf("secrets.sh made %v, %v", files, err)
		}
		var all []byte
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o400 {
				c.t.Fatalf("%s: %v, %v", file, info, err)
			}
			all = append(all, c.read(file)...)
		}
		if first != nil && !bytes.Equal(first, all) {
			c.t.Error("a second run of secrets.sh changed a secret")
		}
		first = all
	}
}

func (c *composed) read(file string) []byte {
	c.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// initPostgres makes roles and databases as Postgres's image does at its first start.
func (c *composed) initPostgres(server *postgres.Server) {
	c.t.Helper()
	files, err := filepath.Glob(c.secrets + "/postgres/*")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, file := range files { // in a container they are the server's own
		if err := os.Chmod(file, 0o444); err != nil {
			c.t.Fatal(err)
		}
	}
	// The image's superuser is named postgres, and ours as a role that the script makes.
	c.exec(server.URL("postgres"), `CREATE ROLE postgres SUPERUSER LOGIN`)
	url := strings.Replace(server.URL("postgres"), "://"+postgres.User+"@", "://postgres@", 1)
	c.exec(url, `ALTER ROLE `+postgres.User+` RENAME TO bootstrap`)
	script := strings.ReplaceAll(string(c.read("../../../deploy/compose/postgres-init.sql")), "/secrets/", c.secrets+"/")
	for statement := range strings.SplitSeq(script, "\n\n") {
		c.exec(url, statement)
	}
}

func (c *composed) exec(url, statement string) {
	c.t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(c.t.Context(), statement); err != nil {
		c.t.Fatalf("%s: %v", statement, err)
	}
}

// rewrite replaces a part of a secret, which must be there.
func (c *composed) rewrite(secret, old, replacement string) {
	c.t.Helper()
	file := filepath.Join(c.secrets, secret)
	text := string(c.read(file))
	if !strings.Contains(text, old) {
		c.t.Fatalf("%s has no %s", secret, old)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(text, old, replacement, 1)), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// command prepares a process of a service, listening on that port.
func (c *composed) command(ctx context.Context, service string, port int, arguments ...string) *exec.Cmd {
	c.t.Helper()
	s, ok := c.services[service]
	if !ok {
		c.t.Fatalf("compose.yaml has no service %s", service)
	}
	command := exec.CommandContext(ctx, built.path(c.t), arguments...)
	command.Env = []string{"HOME=" + filepath.Dir(c.secrets), "SWITCHBOARD_ALLOW_CIDRS=127.0.0.0/8"} // HOME is the image's
	for name, value := range s.Environment {
		if name == "SWITCHBOARD_LISTEN" {
			value = strings.Replace(value, ":8080", ":"+strconv.Itoa(port), 1)
		}
		command.Env = append(command.Env, name+"="+c.here.Replace(value))
	}
	return command
}

// run runs a service's command, or another in its place, to its end, and returns what it prints.
func (c *composed) run(service string, arguments ...string) string {
	c.t.Helper()
	if len(arguments) == 0 {
		arguments = c.services[service].Command
	}
	command := c.command(c.t.Context(), service, freePort(c.t), arguments...)
	var complaints bytes.Buffer
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		c.t.Fatalf("%s %v: %v\n%s", service, arguments, err, &complaints)
	}
	return string(printed)
}

// composeProcess is a service that runs.
type composeProcess struct {
	*composed
	service string
	port    int
	child   *exec.Cmd
	log     logBuffer
}

func (c *composed) start(service string) *composeProcess {
	c.t.Helper()
	p := &composeProcess{composed: c, service: service, port: freePort(c.t)}
	p.child = c.command(context.Background(), service, p.port, c.services[service].Command...)
	p.child.Stderr = &p.log
	if err := p.child.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() {
		if p.child.ProcessState == nil {
			_ = errors.Join(p.child.Process.Kill(), p.child.Wait())
		}
	})
	return p
}

// awaitHealthy asks as the file's health check does.
func (p *composeProcess) awaitHealthy() {
	p.t.Helper()
	check := p.services[p.service].Healthcheck
	if len(check) < 3 || !slices.Equal(check[:2], []string{"CMD", "switchboard"}) {
		p.t.Fatalf("%s is checked by %v", p.service, check)
	}
	await(p.t, p.service+" is healthy", func() bool {
		return p.command(p.t.Context(), p.service, p.port, check[2:]...).Run() == nil
	})
}

func (p *composeProcess) url(path string) string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) + path
}

// answers checks that the process has something at a path.
func (p *composeProcess) answers(path string) {
	p.t.Helper()
	response, err := http.Get(p.url(path))
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound || response.StatusCode >= http.StatusInternalServerError {
		p.t.Errorf("%s answers %s at %s", p.service, response.Status, path)
	}
}

func (p *composeProcess) post(key, path, body string) {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.url(path), strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode >= http.StatusMultipleChoices {
		answer, _ := io.ReadAll(response.Body) // shown as far as it was read
		p.t.Fatalf("%s: %s %s", path, response.Status, answer)
	}
}

// stop stops the process as Docker does, and it ends without a failure.
func (p *composeProcess) stop() {
	p.t.Helper()
	if err := errors.Join(p.child.Process.Signal(syscall.SIGTERM), p.child.Wait()); err != nil {
		p.t.Errorf("%s: %v\n%s", p.service, err, p.log.String())
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	_, text, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}
