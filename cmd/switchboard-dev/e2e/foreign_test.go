package e2e

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

// foreignRequest is a request as a server in another language read it.
type foreignRequest struct {
	Port    int               `json:"port"` // only in the first line
	Refused string            `json:"refused"`
	Method  string            `json:"method"`
	Target  string            `json:"target"`
	Host    string            `json:"host"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Client  string            `json:"client"` // common name in the client's certificate
}

// foreign is a receiver in a separate process, with the HTTP server of another language.
type foreign struct {
	addr     string
	mu       sync.Mutex
	requests []foreignRequest
}

// newForeign starts a receiver: a program, its script in testdata, and arguments.
func newForeign(t *testing.T, program string, args ...string) *foreign {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Fatalf("%s is not on this machine: `make receivers` installs it", program)
	}
	child := exec.CommandContext(t.Context(), program, args...)
	child.Stderr = t.Output()
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	var first foreignRequest
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil || first.Port == 0 {
		t.Fatalf("%s began with %q (%v), want its port", program, lines.Text(), lines.Err())
	}
	f := &foreign{addr: "127.0.0.1:" + strconv.Itoa(first.Port)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines.Scan() {
			var r foreignRequest
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Errorf("%s printed %q: %v", program, lines.Text(), err)
				continue
			}
			f.mu.Lock()
			f.requests = append(f.requests, r)
			f.mu.Unlock()
		}
	}()
	t.Cleanup(func() { // the test's context, which ends the process, is over now
		<-read
		_ = child.Wait() // "signal: killed"
	})
	return f
}

func newNode(t *testing.T, args ...string) *foreign {
	t.Helper()
	return newForeign(t, "node", append([]string{"testdata/receiver.mjs"}, args...)...)
}

func newPython(t *testing.T) *foreign {
	t.Helper()
	return newForeign(t, "python3", "testdata/receiver.py")
}

// await waits until that many requests are in the program's output, which may be later than their
// answers, and returns the last ones.
func (f *foreign) await(t *testing.T, n int) foreignRequest {
	t.Helper()
	await(t, "so many requests printed", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.requests) >= n
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests[len(f.requests)-1]
}
