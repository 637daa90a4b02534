package postgres

import (
	"os/exec"
	"syscall"
)

// dieWithParent has the kernel ask the server to shut down when we are gone, even
// by SIGKILL.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGINT
	cmd.SysProcAttr.Setpgid = true // Ctrl-C in the terminal is for us: we stop the server last
}
