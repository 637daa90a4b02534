//go:build !linux

package bench

import (
	"os/exec"
	"syscall"
)

// leaveToUs keeps Ctrl-C in the terminal from a child. The benchmark itself runs
// on Linux only.
func leaveToUs(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
