package console

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/signing"
)

const receivingGuide = "../docs/receiving.md"

// fences maps the languages of the snippets to those of the guide's blocks. openssl checks one
// request by hand and is not a receiver.
func fences() map[string]string {
	return map[string]string{"Go": "go", "Node": "js", "Python": "python", "PHP": "php", "Ruby": "ruby", "Java": "java", "C#": "csharp"}
}

// guideBlock finds the first block after the heading.
func guideBlock(heading, fence string) *regexp.Regexp {
	return regexp.MustCompile("(?s)(\n### " + regexp.QuoteMeta(heading) + "\n[^#]*?```" + fence + "\n)(.*?)(```\n)")
}

// TestGuideHasTheSnippets: the receivers' guide shows the console's programs. UPDATE_DOCS=1 writes
// them.
func TestGuideHasTheSnippets(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(receivingGuide)
	must(t, err)
	guide := string(text)
	for _, l := range languages() {
		fence, shown := fences()[l.name]
		if !shown {
			continue
		}
		want, err := snippetFiles.ReadFile("snippets/standard/" + l.file)
		must(t, err)
		found := guideBlock(l.name, fence).FindStringSubmatchIndex(guide)
		if found == nil {
			t.Errorf("there is no block of %s", l.name)
			continue
		}
		if guide[found[4]:found[5]] == string(want) {
			continue
		}
		if os.Getenv("UPDATE_DOCS") == "" {
			t.Errorf("the block of %s is not console/snippets/standard/%s: UPDATE_DOCS=1 writes it", l.name, l.file)
		}
		guide = guide[:found[4]] + string(want) + guide[found[5]:]
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		must(t, os.WriteFile(receivingGuide, []byte(guide), 0o600))
	}
}

// guideReceiver runs the whole receiver of the guide, with the snippet next to it.
type guideReceiver struct {
	address string
	url     string
	folder  string
	printed *bytes.Buffer
	stop    func()
}

func startGuideReceiver(t *testing.T, folder string, secrets ...switchboard.Secret) *guideReceiver {
	t.Helper()
	for range 20 {
		if r := tryGuideReceiver(t, folder, secrets...); r != nil {
			return r
		}
	}
	t.Fatal("no port stays free for the receiver")
	return nil
}

// tryGuideReceiver starts it on a free port. It returns nil if the receiver ends before it listens,
// for example because another program has taken the port since.
func tryGuideReceiver(t *testing.T, folder string, secrets ...switchboard.Secret) *guideReceiver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := listener.Addr().String()
	must(t, listener.Close())
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	var known []string
	for _, secret := range secrets {
		known = append(known, secret.Reveal())
	}
	r := &guideReceiver{address: address, url: "http://" + address + "/hook", folder: folder, printed: &bytes.Buffer{}}
	command := exec.Command("python3", "-u", "receiver.py")
	command.Dir, command.Stdout, command.Stderr = folder, r.printed, os.Stderr
	command.Env = append(os.Environ(), "PORT="+port, "WEBHOOK_SECRETS="+strings.Join(known, " "))
	must(t, command.Start())
	var ended atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = command.Wait()
		ended.Store(true)
	}()
	r.stop = func() {
		_ = command.Process.Kill()
		<-done
	}
	t.Cleanup(r.stop)
	awaitGuide(t, "the receiver listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil || ended.Load()
	})
	if ended.Load() {
		return nil
	}
	return r
}

func awaitGuide(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("not within a minute: %s", what)
		case <-poll.C:
		}
	}
}

// send sends a request with a worker's signature, and returns the status.
func (r *guideReceiver) send(t *testing.T, id string, secrets []switchboard.SigningSecret, body, signed string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url, strings.NewReader(body))
	must(t, err)
	signature := switchboard.Signature{Scheme: signing.Standard}
	must(t, signing.Sign(request.Header, signature, id, time.Now(), []byte(signed), secrets))
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	must(t, response.Body.Close())
	return response.StatusCode
}

// announce sends the header of a request with a body of that length, and returns the status.
func (r *guideReceiver) announce(t *testing.T, length int) string {
	t.Helper()
	conn, err := net.Dial("tcp", r.address)
	must(t, err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /hook HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", r.address, length)
	must(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	must(t, err)
	return strings.Fields(line + " . .")[1]
}

// done returns the ids in the inbox whose work is done.
func (r *guideReceiver) done(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", `import sqlite3, sys
print(*(row[0] for row in sqlite3.connect(sys.argv[1]).execute("SELECT id FROM inbox WHERE done ORDER BY id")))`, filepath.Join(r.folder, "inbox.db")).Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

// TestGuideReceiver runs the receiver in the guide. It answers before it works, works once for each
// webhook-id, accepts both secrets of a rotation, and refuses unsigned requests.
func TestGuideReceiver(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(receivingGuide)
	must(t, err)
	whole := guideBlock("A whole receiver", "python").FindSubmatch(text)
	if whole == nil {
		t.Fatal("the guide has no receiver")
	}
	verify, err := snippetFiles.ReadFile("snippets/standard/python.txt")
	must(t, err)
	folder := t.TempDir()
	must(t, os.WriteFile(filepath.Join(folder, "receiver.py"), whole[2], 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "verify.py"), verify, 0o600))

	newer, older := signing.NewSecret(signing.Standard), signing.NewSecret(signing.Standard)
	both := []switchboard.SigningSecret{{Secret: newer}, {Secret: older, ExpiresAt: time.Now().Add(time.Hour)}}
	before := []switchboard.SigningSecret{{Secret: older}}
	stranger := []switchboard.SigningSecret{{Secret: signing.NewSecret(signing.Standard)}}
	r := startGuideReceiver(t, folder, newer, older)
	for _, c := range []struct {
		what, id     string
		secrets      []switchboard.SigningSecret
		body, signed string
		want         int
	}{
		{"a delivery", "dlv_1", both, `{"id":"evt_1"}`, `{"id":"evt_1"}`, 204},
		{"the same once more", "dlv_1", both, `{"id":"evt_1"}`, `{"id":"evt_1"}`, 204},
		{"signed with the older secret", "dlv_2", before, `{"id":"evt_2"}`, `{"id":"evt_2"}`, 204},
		{"another body", "dlv_3", both, `{"id":"evt_9"}`, `{"id":"evt_3"}`, 401},
		{"of a stranger", "dlv_4", stranger, `{"id":"evt_4"}`, `{"id":"evt_4"}`, 401},
	} {
		if got := r.send(t, c.id, c.secrets, c.body, c.signed); got != c.want {
			t.Errorf("%s: %d; want %d", c.what, got, c.want)
		}
	}
	if got := r.announce(t, 1<<20+1); got != "413" {
		t.Errorf("a body that is too long: %s", got)
	}
	awaitGuide(t, "the work is done", func() bool { return r.done(t) == "dlv_1 dlv_2" })
	r.stop()
	if n := strings.Count(r.printed.String(), "\n"); n != 2 {
		t.Errorf("it worked %d times: %s", n, r.printed)
	}

	// After a restart it does not work on them again, and accepts the guide's request by hand.
	r = startGuideReceiver(t, folder, newer)
	by := regexp.MustCompile("(?s)\n### By hand\n.*?```sh\n(.*?)```\n").FindSubmatch(text)
	if by == nil {
		t.Fatal("the guide has no request by hand")
	}
	shell := exec.Command("bash", "-euo", "pipefail", "-c", string(by[1]))
	shell.Env = append(os.Environ(), "WEBHOOK_SECRET="+newer.Reveal(), "RECEIVER_URL="+r.url)
	out, err := shell.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "204" {
		t.Errorf("by hand: %v, %s", err, out)
	}
	awaitGuide(t, "the work is done", func() bool { return r.done(t) == "dlv_1 dlv_2 test-1" })
	r.stop()
	if n := strings.Count(r.printed.String(), "\n"); n != 1 {
		t.Errorf("started again it worked %d times: %s", n, fmt.Sprint(r.printed))
	}
}
