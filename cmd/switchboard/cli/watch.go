package cli

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// watchEvery is the time between two looks.
const watchEvery = 2 * time.Second

// home moves the cursor of a terminal to its first line; below clears from the cursor on, and
// endOfLine to the end of its line (ECMA-48). What is drawn over is not cleared before, which
// would flicker.
const (
	home      = "\x1b[H"
	below     = "\x1b[J"
	endOfLine = "\x1b[K"
)

// watch shows something once, or again and again until show says that it is done. A terminal is
// drawn over; elsewhere what has changed is printed again.
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
			return nil // Ctrl-C is how it ends
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
