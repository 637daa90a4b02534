package process

import (
	"os/exec"
	"syscall"
)

// leaveToUs keeps Ctrl-C in the terminal from a child, because we stop it in order, and makes the
// kernel stop it if we are killed.
func leaveToUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
