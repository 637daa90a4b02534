//go:build !linux

package process

import (
	"os/exec"
	"syscall"
)

// leaveToUs keeps Ctrl-C in the terminal from a child. What measures and what
// breaks things runs on Linux only.
func leaveToUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
