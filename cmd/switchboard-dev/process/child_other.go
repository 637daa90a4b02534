//go:build !linux

package process

import (
	"os/exec"
	"syscall"
)

// leaveToUs keeps Ctrl-C in the terminal from a child. The benchmark and the fault suite only run
// on Linux.
func leaveToUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
