package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/term"
)

// Terminal is where a command reads and writes.
type Terminal struct {
	In       io.Reader
	Out, Err io.Writer
	Width    int  // of Out in columns; 0: no limit
	Live     bool // Out is a terminal, so its content can be overwritten
	Color    bool // Out shows colours
	Ask      bool // a person is there to answer a question
	Now      func() time.Time
	Getenv   func(string) string
}

// NewTerminal describes these files. Colour needs a terminal, and no NO_COLOR (no-color.org).
func NewTerminal(in, out, err *os.File, getenv func(string) string) *Terminal {
	t := &Terminal{In: in, Out: out, Err: err, Now: time.Now, Getenv: getenv}
	t.Live = term.IsTerminal(int(out.Fd()))
	t.Color = t.Live && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	t.Ask = term.IsTerminal(int(in.Fd())) && term.IsTerminal(int(err.Fd()))
	if t.Live {
		t.Width = 80
		if width, _, err := term.GetSize(int(out.Fd())); err == nil && width > 0 {
			t.Width = width
		}
	}
	if columns, err := strconv.Atoi(getenv("COLUMNS")); err == nil && columns > 0 {
		t.Width = columns
	}
	return t
}

// manyItems is the number from which on a person types the number instead of yes.
const manyItems = 1000

// confirm asks before an action on that many things, unless yes was given in advance.
func (s *Session) confirm(ctx context.Context, question string, count int, yes bool) error {
	if yes {
		return nil
	}
	if !s.Ask {
		return fmt.Errorf("%s %w: without a terminal, --yes confirms it", question, errNotConfirmed)
	}
	wanted := "yes"
	if count > manyItems {
		wanted = strconv.Itoa(count)
	}
	fmt.Fprintf(s.Err, "%s Type %s to go on: ", question, wanted)
	answer := make(chan string, 1)
	go func() { // Ctrl-C does not end a read
		line, _ := bufio.NewReader(s.In).ReadString('\n')
		answer <- strings.TrimSpace(line)
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.Err)
		return errNotConfirmed
	case said := <-answer:
		if strings.EqualFold(said, wanted) || wanted == "yes" && strings.EqualFold(said, "y") {
			return nil
		}
		return errNotConfirmed
	}
}
