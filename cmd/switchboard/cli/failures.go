package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

type failuresCommand struct {
	Tenant string `help:"Only this tenant."`
	Limit  int    `default:"50" help:"How many groups."`
	watchFlag
}

func (failuresCommand) Help() string {
	return `Examples:

    switchboard failures
    switchboard failures --tenant acme --watch`
}

func (c failuresCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	return s.watch(ctx, c.Watch, func() (bool, error) {
		found, err := api.GetFailures(ctx, c.Tenant, c.Limit)
		if err != nil {
			return false, err
		}
		return false, s.print(s.answers.last, func() {
			if len(found.Groups) == 0 {
				s.note("Nothing fails.")
				return
			}
			printTable(s, []column[switchboard.FailureGroup]{
				{title: "host", text: func(g switchboard.FailureGroup) string { return g.Host }, least: 16},
				{title: "failure", text: failureOf},
				{title: "tenants", text: func(g switchboard.FailureGroup) string { return thousands(g.Tenants) }},
				{title: "open", text: func(g switchboard.FailureGroup) string { return thousands(g.Open) }},
				{title: "attempts 24 h", text: func(g switchboard.FailureGroup) string { return thousands(int(g.Attempts)) }, rank: 2},
				{title: "oldest", text: func(g switchboard.FailureGroup) string { return s.relative(g.OldestAt) }, rank: 1},
				{title: "oldest delivery", text: func(g switchboard.FailureGroup) string { return g.Oldest }, rank: 3},
			}, found.Groups)
			if found.More {
				s.note("there are more groups: --limit N shows more")
			}
			if found.Bounded {
				s.note("there are more open deliveries than are counted: these are the newest 100,000")
			}
		})
	})
}

func failureOf(g switchboard.FailureGroup) string {
	if g.StatusCode == 0 {
		return string(g.Failure)
	}
	return fmt.Sprintf("%d %s", g.StatusCode, g.Failure)
}

type statusCommand struct {
	Tenant string `help:"Only this tenant."`
	watchFlag
}

func (statusCommand) Help() string {
	return `Examples:

    switchboard status --watch`
}

func (c statusCommand) Run(ctx context.Context, s *Session) error {
	api, err := s.api()
	if err != nil {
		return err
	}
	return s.watch(ctx, c.Watch, func() (bool, error) {
		status, err := api.GetStatsNow(ctx, c.Tenant)
		if err != nil {
			return false, err
		}
		return false, s.print(s.answers.last, func() { s.showStatus(status) })
	})
}

func (s *Session) showStatus(status switchboard.OpenStatus) {
	var open []string
	total := 0
	for _, state := range switchboard.States() {
		if n := status.Open[state]; n > 0 {
			open = append(open, thousands(n)+" "+string(state))
			total += n
		}
	}
	words := thousands(total)
	if len(open) > 0 {
		words += ": " + strings.Join(open, ", ")
	}
	oldest := ""
	if status.Oldest != "" {
		oldest = status.Oldest + ", accepted " + s.relativeIn(status.OldestAt, 2)
	}
	s.printFacts(
		fact{"Open", words}, fact{"Overdue", thousands(status.Overdue)}, fact{"Oldest", oldest},
		fact{"Not started", thousands(status.Backlog)}, fact{"Breakers open", thousands(status.Breakers)}, fact{"Workers", thousands(len(status.Workers))},
	)
	if len(status.Workers) == 0 {
		return
	}
	workers := slices.Clone(status.Workers)
	slices.SortFunc(workers, func(a, b switchboard.WorkerStatus) int { return strings.Compare(a.ID, b.ID) })
	s.printf("\n")
	printTable(s, []column[switchboard.WorkerStatus]{
		{title: "worker", text: func(w switchboard.WorkerStatus) string { return w.ID }, least: 16},
		{title: "version", text: func(w switchboard.WorkerStatus) string { return w.Version }, rank: 1},
		{title: "slots", text: func(w switchboard.WorkerStatus) string { return fmt.Sprintf("%d of %d", w.SlotsTaken, w.Slots) }},
		{title: "slow slots", text: func(w switchboard.WorkerStatus) string { return fmt.Sprintf("%d of %d", w.SlowSlotsTaken, w.SlowSlots) }},
		{title: "seen", text: func(w switchboard.WorkerStatus) string { return s.relative(w.SeenAt) }},
	}, workers)
}
