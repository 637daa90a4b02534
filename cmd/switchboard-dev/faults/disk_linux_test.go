package faults

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestDiskOfTheMachine: if no disk can be mounted, the running Postgres cannot write, and no other
// starts, until there is space again.
func TestDiskOfTheMachine(t *testing.T) {
	t.Parallel()
	const write = "while :; do read line; echo x >" + `"$1"` + " && echo written || echo refused; done"
	postgres := exec.CommandContext(t.Context(), "sh", "-c", "trap '' XFSZ; "+write, "sh", filepath.Join(t.TempDir(), "data"))
	in, err := postgres.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := postgres.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := postgres.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	d := &disk{dir: t.TempDir()}
	is := func(want string, room bool) {
		t.Helper()
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Fatal(err)
		}
		if !said.Scan() || said.Text() != want {
			t.Errorf("%q, want %q", said.Text(), want)
		}
		if err := d.room(); (err == nil) != room {
			t.Errorf("room: %v", err)
		}
	}
	is("written", true)
	if err := d.fill(postgres.Process.Pid); err != nil {
		t.Fatal(err)
	}
	is("refused", false)
	if err := d.empty(postgres.Process.Pid); err != nil {
		t.Fatal(err)
	}
	is("written", true)
	if err := d.empty(0); err != nil {
		t.Errorf("while no Postgres runs: %v", err)
	}
}

// TestAbandoned: a disk is abandoned if its suite no longer runs. Disks of others are not ours.
func TestAbandoned(t *testing.T) {
	t.Parallel()
	const mounts = `proc /proc proc rw 0 0
tmpfs /tmp tmpfs rw,size=1g 0 0
switchboard-faults-12 /tmp/switchboard-faults-1/postgres tmpfs rw,size=1048576k,mode=700 0 0
switchboard-faults-34 /tmp/switchboard-faults-2/postgres tmpfs rw,size=1048576k,mode=700 0 0
switchboard-faults-56 /tmp/a\040b\134c/postgres tmpfs rw,size=1048576k,mode=700 0 0
switchboard-faults-data /srv ext4 rw 0 0
`
	got := abandoned(mounts, func(pid int) bool { return pid == 34 })
	if want := []string{"/tmp/switchboard-faults-1/postgres", `/tmp/a b\c/postgres`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestDiskOfAKilledSuite: the next suite unmounts it.
func TestDiskOfAKilledSuite(t *testing.T) {
	if killed := os.Getenv("FAULTS_KILLED_SUITE"); killed != "" {
		if _, err := newDisk(killed); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	dir := filepath.Join(t.TempDir(), "left over")
	suite := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	suite.Env = append(os.Environ(), "FAULTS_KILLED_SUITE="+dir)
	if out, err := suite.CombinedOutput(); err == nil || len(out) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	next, err := newDisk(filepath.Join(t.TempDir(), "next"))
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err = errors.Join(err, next.remove()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), `left\040over`) {
		t.Errorf("it is mounted still:\n%s", mounts)
	}
	if next.mounted != strings.Contains(string(mounts), next.dir) {
		t.Errorf("the next one is mounted: %v, in\n%s", next.mounted, mounts)
	}
}
