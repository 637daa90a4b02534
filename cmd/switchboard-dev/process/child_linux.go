package process

import (
	"os/exec"
	"syscall"
)

// leaveToUs keeps Ctrl-C in the terminal from a child, which we stop in order, and
// has the kernel stop it if we are killed.
func leaveToUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
