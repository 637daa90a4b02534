package bench

import (
	"os"
	"testing"
)

// The parsers match the kernel that runs the test.
func TestReadOwnProcess(t *testing.T) {
	t.Parallel()
	all, err := everyStat()
	if err != nil {
		t.Fatal(err)
	}
	own := only(all, os.Getpid())
	if len(own) != 1 || own[0].parent != os.Getppid() {
		t.Fatalf("this process is %+v; want one whose parent is %d", own, os.Getppid())
	}
	m, err := memoryOf(own)
	if err != nil {
		t.Fatal(err)
	}
	if m.RSS <= 0 || m.PSS <= 0 || m.Peak <= 0 { // they were read at different moments
		t.Errorf("memory is %+v; want all positive", m)
	}
}
