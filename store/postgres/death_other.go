//go:build !linux

package postgres

import (
	"os/exec"
	"syscall"
)

// dieWithParent can only keep Ctrl-C in the terminal from reaching the server
// before we stop it. A server that outlives us is ended by the next Start.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}
