//go:build !linux

package postgres

import (
	"os/exec"
	"syscall"
)

// dieWithParent can only prevent Ctrl-C in the terminal from reaching the server before this
// process stops it. The next Start ends a server that outlives this process.
func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}
