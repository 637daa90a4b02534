// Package browser tests the console as people use it: in Chromium, on the stack that `make run` starts.
package browser

import (
	"fmt"
	"os"
	"testing"
)

// pictures is the folder of what the tests saw, which git ignores.
const pictures = "pictures"

var browser = &chromium{}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := browser.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}
