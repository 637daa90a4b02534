package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// progressEvery is the interval at which an operation is read.
const progressEvery = time.Second

type watchOperationCommand struct {
	oneOperation
}

func (watchOperationCommand) Help() string {
	return `It ends with 0 if the operation has finished, and with 1 if it was cancelled or could not do all. Ctrl-C ends the
watching and not the operation.

Examples:

    switchboard operations watch op_01k0000000000000000000000`
}

func (c watchOperationCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	return s.follow(ctx, api, c.ID)
}

// follow shows the progress of an operation until it ends: on a terminal as a bar, elsewhere as a
// line for each change, and for programs as the operation after it has ended.
func (s *Session) follow(ctx context.Context, api *client.Client, id string) error {
	var before string
	for {
		o, err := api.GetOperation(ctx, id)
		switch {
		case ctx.Err() != nil:
			s.note("%s goes on: switchboard operations watch %s", id, id)
			return nil //nolint:nilerr // whoever watches has stopped
		case err != nil:
			return err
		}
		if !s.flags.Output.machine() {
			line := s.progressLine(o)
			switch {
			case s.Live:
				s.printf("\r%s%s", line, endOfLine)
			case line != before && !o.State.Ended():
				s.printf("%s\n", line)
			}
			before = line
		}
		if o.State.Ended() {
			return s.ended(o)
		}
		if !pause(ctx, progressEvery) {
			s.note("\n%s goes on: switchboard operations watch %s", id, id)
			return nil
		}
	}
}

// ended says how an operation ended.
func (s *Session) ended(o client.Operation) error {
	if s.flags.Output.machine() {
		if err := s.print(s.answers.last, nil); err != nil {
			return err
		}
	} else {
		if s.Live {
			s.printf("\n")
		}
		s.printf("%s is %s: %s done, %s skipped, %s failed\n", o.ID, o.State, thousands(o.Done), thousands(o.Skipped), thousands(o.Failed))
	}
	switch {
	case o.State == switchboard.OperationCancelled:
		return fmt.Errorf("operation %s was cancelled", o.ID)
	case o.Failed > 0:
		return fmt.Errorf("%s could not be done: switchboard operations show %s --items failed", thousands(o.Failed), o.ID)
	}
	return nil
}

// progressLine is the progress of an operation, in one line that fits a terminal.
func (s *Session) progressLine(o client.Operation) string {
	words := progressOf(o)
	if o.State == switchboard.OperationPaused {
		words += ", " + string(o.State)
	}
	if o.Skipped > 0 {
		words += ", " + thousands(o.Skipped) + " skipped"
	}
	if !o.ExpectedEndAt.IsZero() {
		words += ", ends " + s.relative(o.ExpectedEndAt)
	}
	if !s.Live || o.Total == 0 {
		return words
	}
	const most = 40
	width := min(most, s.Width-len(words)-len("[] 100% "))
	if width < len("#####") {
		return words
	}
	done := min(o.Handled(), o.Total)
	filled := width * done / o.Total
	return fmt.Sprintf("[%s%s] %3d%% %s", strings.Repeat("#", filled), strings.Repeat(".", width-filled), 100*done/o.Total, words)
}
