package postgres

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes the kernel ask the server to shut down when this process has ended, even by
// SIGKILL.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	cmd.SysProcAttr.Setpgid = true // Ctrl-C in the terminal is for this process, which stops the server last
}
