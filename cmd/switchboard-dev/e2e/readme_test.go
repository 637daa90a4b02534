package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard/client"
)

// shellBlocks returns the shell blocks of a document between two of its headings, unchanged.
func shellBlocks(t *testing.T, document, from, to string) []string {
	t.Helper()
	text, err := os.ReadFile("../../../" + document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+from+"\n")
	part, _, ended := strings.Cut(rest, "\n## "+to+"\n")
	if !found || !ended {
		t.Fatalf("%s has no %q before %q", document, from, to)
	}
	var blocks []string
	for {
		_, after, more := strings.Cut(part, "\n```sh\n")
		if !more {
			return blocks
		}
		block, left, closed := strings.Cut(after, "\n```\n")
		if !closed {
			t.Fatalf("a block of %s does not end", document)
		}
		blocks, part = append(blocks, block), left
	}
}

// TestReadme runs the blocks of the README, and then those of the platforms, in one shell, with
// only the addresses changed. Each block succeeds, and everything that it posts is delivered.
func TestReadme(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl", "python3"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v: `make receivers` installs it", err)
		}
	}
	s := newSystem(t)
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, ".switchboard"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ".switchboard", "api.key"), []byte(s.key.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	// A first attempt should come within a second. A busy machine may need more.
	const attempted = `until ! curl -s "$API/v1/deliveries?state=pending" -H "Authorization: Bearer $KEY" | grep -q dlv_; do sleep 0.1; done`
	script := "trap 'kill $RECEIVER' EXIT\nset -eu\n"
	blocks := append(shellBlocks(t, "README.md", "A first delivery", "Five platforms"),
		shellBlocks(t, "docs/platforms.md", "Calls to try", "What is seen and what is assumed")...)
	for i, block := range blocks {
		script += fmt.Sprintf("echo '--- block %d'\n%s\n", i+1, strings.NewReplacer("127.0.0.1:8080", s.config.Listen, "9999", port, "sleep 1;", attempted+";").Replace(block))
	}
	shell := exec.CommandContext(t.Context(), "bash", "-c", script+"echo '--- end'\nread -r _ || true\n")
	shell.Dir = folder
	shown := &logBuffer{}
	shell.Stdout, shell.Stderr = shown, shown
	goOn, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { err = shell.Wait(); close(ended) }()
	awaitFor(t, loadTimeout, "through the blocks", func() bool {
		select {
		case <-ended:
			return true
		default:
			return strings.Contains(shown.String(), "--- end")
		}
	})
	for tenant, deliveries := range map[string]int{"acme": 2, "sz": 1, "zw": 1, "om": 1, "cb": 1, "fl": 1} {
		s.checkDelivered(tenant, deliveries)
	}
	_ = goOn.Close()
	<-ended
	output := shown.String()
	t.Logf("the blocks print:\n%s", output)
	if err != nil {
		t.Errorf("the blocks end with %v", err)
	}
	if strings.Contains(output, "about:blank") {
		t.Error("a call was refused")
	}
	for _, want := range []string{"connect_refused", `/hook`, `/signalzen`, `/ziwo`, `"event":"Ticket Create"`, `<Event`, "height=172", `"delivery_id"`} {
		if !strings.Contains(output, want) {
			t.Errorf("nothing of %q is shown", want)
		}
	}
}

// checkDelivered waits until the tenant has that many deliveries, and all have arrived.
func (s *system) checkDelivered(tenant string, deliveries int) {
	s.t.Helper()
	await(s.t, fmt.Sprintf("%d of %s delivered", deliveries, tenant), func() bool {
		page := as[struct{ Data []client.Delivery }](s.t, s.call(http.MethodGet, "/v1/deliveries?tenant="+tenant, nil))
		for _, d := range page.Data {
			if d.State != "delivered" {
				return false
			}
		}
		return len(page.Data) == deliveries
	})
}
