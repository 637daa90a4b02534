package cli

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// watchEvery is the interval of a watch.
const watchEvery = 2 * time.Second

// home moves the terminal's cursor to the first line. below clears everything after the cursor, and
// endOfLine the rest of its line (ECMA-48). The screen is not cleared before it is overwritten,
// because that would flicker.
const (
	home      = "\x1b[H"
	below     = "\x1b[J"
	endOfLine = "\x1b[K"
)

// watch shows something once, or repeatedly until show says that it is done. It overwrites a
// terminal; elsewhere it prints again what has changed.
func (s *Session) watch(ctx context.Context, again bool, show func() (done bool, err error)) error {
	if !again {
		_, err := show()
		return err
	}
	out := s.Out
	defer func() { s.Out = out }()
	var before []byte
	for first := true; ; first = false {
		var now bytes.Buffer
		s.Out = &now
		done, err := show()
		if ctx.Err() != nil {
			return nil // Ctrl-C is the way to end it
		}
		if err != nil {
			return err
		}
		switch {
		case s.Live:
			start := home
			if first {
				start = home + below
			}
			fmt.Fprintf(out, "%s%s%s", start, bytes.ReplaceAll(now.Bytes(), []byte("\n"), []byte(endOfLine+"\n")), below)
		case !bytes.Equal(now.Bytes(), before):
			fmt.Fprintf(out, "%s\n", now.Bytes())
		}
		before = now.Bytes()
		if done || !pause(ctx, watchEvery) {
			return nil
		}
	}
}
