package alerts

import (
	"bufio"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq" // registers the driver
	temporal "go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/store/postgres"
)

// lab is Switchboard as in production, in separate processes that a test may stop and start: API,
// worker, Temporal, and one Postgres each for Switchboard and Temporal.
type lab struct {
	*monitor
	dir, bin      string
	ours, theirs  *postgres.Server // of Switchboard, and of Temporal
	oursConfig    postgres.Config
	engine        *program // Temporal
	api, worker   *program
	temporalAddr  string
	temporalShown string // where it shows its metrics
	apiAddr       string
	workerAddr    string
	keyring       string
	db            *sql.DB // of Switchboard
	engineDB      *sql.DB // of Temporal; nil: not opened yet
	client        *client.Client
	temporal      temporal.Client
	receiver      *receiver
}

// newLab builds the programs and starts everything.
func newLab(t *testing.T) *lab {
	t.Helper()
	dir, err := os.MkdirTemp("", "switchboard-alerts-")
	must(t, err)
	must(t, os.Chmod(dir, 0o711)) // root's Postgres runs as another user, who must be able to enter its folder
	l := &lab{dir: dir, bin: filepath.Join(dir, "bin"), receiver: newReceiver(t)}
	l.temporalAddr, l.temporalShown, l.apiAddr, l.workerAddr = freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	l.monitor = newMonitor(t, target{"switchboard", l.apiAddr}, target{"switchboard", l.workerAddr}, target{"temporal", l.temporalShown})
	t.Cleanup(l.end)
	l.build()

	l.oursConfig = postgres.Config{Dir: filepath.Join(dir, "ours")}
	l.ours, err = postgres.Start(t.Context(), l.oursConfig)
	must(t, err)
	l.theirs, err = postgres.Start(t.Context(), postgres.Config{Dir: filepath.Join(dir, "theirs")})
	must(t, err)
	must(t, l.ours.CreateDatabase(t.Context(), "switchboard", ""))
	l.startTemporal()
	secret := make([]byte, 32)
	_, err = rand.Read(secret)
	must(t, err)
	l.keyring = "alerts:" + base64.StdEncoding.EncodeToString(secret)
	l.run("migrate")
	words := strings.Fields(l.run("keys", "create", "--name", "alerts", "--role", "admin"))
	l.api, l.worker = l.start("api", l.apiAddr), l.start("worker", l.workerAddr)

	l.db, err = sql.Open("postgres", l.ours.URL("switchboard"))
	must(t, err)
	l.client, err = client.New(client.Config{URL: "http://" + l.apiAddr, Key: switchboard.Secret(words[len(words)-1])})
	must(t, err)
	l.temporal, err = temporal.NewLazyClient(temporal.Options{HostPort: l.temporalAddr, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	must(t, err)
	return l
}

// with does something as that part of the test.
func (l *lab) with(t *testing.T, do func(*lab)) {
	whole := l.t
	l.t = t
	defer func() { l.t = whole }()
	do(l)
}

// build builds both programs from this module's repository, unless SWITCHBOARD_BIN names a folder
// with them.
func (l *lab) build() {
	l.t.Helper()
	if built := os.Getenv("SWITCHBOARD_BIN"); built != "" {
		l.bin = built
		return
	}
	build := exec.CommandContext(l.t.Context(), "go", "build", "-o", l.bin+string(filepath.Separator), "./cmd/switchboard", "./cmd/switchboard-dev")
	build.Dir = filepath.Join("..", "..", "..")
	if output, err := build.CombinedOutput(); err != nil {
		l.t.Fatalf("build: %v\n%s", err, output)
	}
}

// environment is the environment of every process of Switchboard, as in production, with the
// shortest retention.
func (l *lab) environment(listen string, more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"SWITCHBOARD_DATABASE_URL=" + l.ours.URL("switchboard"),
		"SWITCHBOARD_ENCRYPTION_KEY=" + l.keyring,
		"SWITCHBOARD_LISTEN=" + listen,
		"SWITCHBOARD_ALLOW_CIDRS=127.0.0.0/8",
		"SWITCHBOARD_RETENTION=1d", "SWITCHBOARD_RETENTION_FAILED=1d", "SWITCHBOARD_IDEMPOTENCY_WINDOW=1d",
		"TEMPORAL_ADDRESS=" + l.temporalAddr, "TEMPORAL_NAMESPACE=default",
	}, more...)
}

// run runs a command of Switchboard to its end, and returns its output.
func (l *lab) run(args ...string) string {
	l.t.Helper()
	command := exec.CommandContext(l.t.Context(), filepath.Join(l.bin, "switchboard"), args...)
	command.Env = l.environment(l.apiAddr)
	output, err := command.CombinedOutput()
	if err != nil {
		l.t.Fatalf("switchboard %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// start starts a process of Switchboard, and returns when it is ready.
func (l *lab) start(part, listen string, more ...string) *program {
	l.t.Helper()
	command := exec.Command(filepath.Join(l.bin, "switchboard"), part)
	command.Env = l.environment(listen, more...)
	p := l.launch(part, command)
	awaitReal(l.t, part+" ready", func() bool {
		response, err := http.Get("http://" + listen + "/readyz")
		if err != nil {
			return p.alive(l.t)
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

// startWorker starts the worker, or restarts it with other settings.
func (l *lab) startWorker(more ...string) {
	l.t.Helper()
	if l.worker != nil {
		l.worker.stop(l.t)
	}
	l.worker = l.start("worker", l.workerAddr, more...)
}

// killWorker ends the worker like kill -9.
func (l *lab) killWorker() {
	l.worker.kill()
	l.worker = nil
}

// startTemporal starts the Temporal server, at the same address as before.
func (l *lab) startTemporal() {
	l.t.Helper()
	_, port, err := net.SplitHostPort(l.temporalAddr)
	must(l.t, err)
	command := exec.Command(filepath.Join(l.bin, "switchboard-dev"), "temporal-server",
		"--database-url", l.theirs.URL("temporal"), "--port", port, "--metrics-addr", l.temporalShown)
	stdout, err := command.StdoutPipe()
	must(l.t, err)
	l.engine = l.launch("temporal", command)
	var ready struct{ Addr string }
	line, err := bufio.NewReader(stdout).ReadBytes('\n') // it prints a line when it answers
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil || ready.Addr != l.temporalAddr {
		l.t.Fatalf("Temporal does not start: %q, %v\n%s", line, err, l.engine.tail())
	}
}

// end ends everything that was started. If the test has failed, it keeps the files.
func (l *lab) end() {
	if l.temporal != nil {
		l.temporal.Close()
	}
	for _, db := range []*sql.DB{l.db, l.engineDB} {
		if db != nil {
			_ = db.Close()
		}
	}
	for _, p := range []*program{l.api, l.worker, l.engine} {
		if p != nil {
			p.kill()
		}
	}
	for _, server := range []*postgres.Server{l.ours, l.theirs} {
		if server != nil {
			_ = server.Stop()
		}
	}
	if l.t.Failed() {
		l.t.Logf("the logs are in %s", l.dir)
		return
	}
	if err := os.RemoveAll(l.dir); err != nil {
		l.t.Error(err)
	}
}

// theirDB is Temporal's database.
func (l *lab) theirDB() *sql.DB {
	l.t.Helper()
	if l.engineDB == nil {
		var err error
		l.engineDB, err = sql.Open("postgres", l.theirs.URL("temporal"))
		must(l.t, err)
	}
	return l.engineDB
}

// sql changes Switchboard's database.
func (l *lab) sql(statement string, args ...any) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	if _, err := l.db.ExecContext(ctx, statement, args...); err != nil {
		l.t.Fatalf("%s: %v", statement, err)
	}
}

// number reads a number from Switchboard's database.
func (l *lab) number(query string, args ...any) (n int) {
	l.t.Helper()
	must(l.t, l.db.QueryRowContext(l.t.Context(), query, args...).Scan(&n))
	return n
}

// program is a process that was started.
type program struct {
	command *exec.Cmd
	log     string
	ended   chan struct{}
}

// launch starts a process with a log for its standard error. The process ends with its standard
// input.
func (l *lab) launch(name string, command *exec.Cmd) *program {
	l.t.Helper()
	p := &program{command: command, log: filepath.Join(l.dir, name+".log"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	must(l.t, err)
	defer log.Close()
	command.Stderr = log
	_, err = command.StdinPipe() // open for as long as this process lives
	must(l.t, err)
	must(l.t, command.Start())
	go func() {
		_ = command.Wait() // its log says how it ended
		close(p.ended)
	}()
	return p
}

// alive fails the test if the process has ended.
func (p *program) alive(t *testing.T) bool {
	t.Helper()
	select {
	case <-p.ended:
		t.Fatalf("%s has ended:\n%s", p.command.Path, p.tail())
	default:
	}
	return false
}

// tail returns the end of the log.
func (p *program) tail() string {
	text, _ := os.ReadFile(p.log)
	return string(text[max(0, len(text)-4000):])
}

// stop ends the process like a deploy.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-p.ended
}

// kill ends the process at once.
func (p *program) kill() {
	_ = p.command.Process.Kill() // it may have ended
	<-p.ended
}

// freeAddress returns an address on which nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// post posts that many events of a type, in batches.
func (l *lab) post(tenant, eventType string, n int) {
	l.t.Helper()
	for n > 0 {
		batch := make([]client.NewEvent, min(n, switchboard.MaxBatch))
		for i := range batch {
			batch[i] = client.NewEvent{Tenant: tenant, Type: eventType, Data: json.RawMessage(`{"n":1}`)}
		}
		results, err := l.client.PostEvents(l.t.Context(), batch)
		must(l.t, err)
		for _, r := range results {
			if r.Problem != nil {
				l.t.Fatalf("post: %v", r.Problem)
			}
		}
		n -= len(batch)
	}
}

// postData posts one event with that data.
func (l *lab) postData(tenant, eventType, data string) {
	l.t.Helper()
	_, err := l.client.PostEvent(l.t.Context(), client.NewEvent{Tenant: tenant, Type: eventType, Data: json.RawMessage(data)})
	must(l.t, err)
}

// subscribe makes a subscription of a tenant for one event type, and returns its id. more has
// additional members of the document.
func (l *lab) subscribe(tenant, eventType, path string, more string) string {
	l.t.Helper()
	document := fmt.Sprintf(`{"tenant":%q,"name":%q,"events":[%q],"request":{"url":%q}%s}`, tenant, eventType, eventType, l.receiver.url(path), more)
	made, err := l.client.CreateSubscriptionFrom(l.t.Context(), json.RawMessage(document))
	if err != nil {
		l.t.Fatalf("%s: %v", document, err)
	}
	return made.ID
}

// unsubscribe deletes a subscription, which cancels its open deliveries.
func (l *lab) unsubscribe(id string) {
	l.t.Helper()
	must(l.t, l.client.DeleteSubscription(l.t.Context(), id, "the fault is over"))
}

// awaitOpen waits until that many deliveries of a subscription are in that state.
func (l *lab) awaitOpen(subscription, state string, n int) {
	l.t.Helper()
	awaitReal(l.t, fmt.Sprintf("%d deliveries %s", n, state), func() bool {
		return l.number("SELECT count(*) FROM deliveries WHERE subscription_id = $1 AND state = $2", subscription, state) >= n
	})
}
