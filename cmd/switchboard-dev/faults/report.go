package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// report is what a run found.
type report struct {
	At       time.Time                `json:"at"`
	Version  string                   `json:"version"`
	Cores    int                      `json:"cores"`
	Rate     int                      `json:"events_per_second"`
	Outcomes []*outcome               `json:"faults"`
	End      switchboard.VerifyReport `json:"verify_at_the_end"`
}

func newReport(c *Command) *report {
	return &report{At: time.Now().UTC(), Version: switchboard.Version, Cores: runtime.NumCPU(), Rate: c.Rate}
}

// write stores the report as JSON.
func (r *report) write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// print writes the table, as Markdown.
func (r *report) print(out io.Writer) {
	fmt.Fprintf(out, "\nSwitchboard %s: %d APIs and %d workers on %d cores, %d events a second\n\n", r.Version, instances, instances, r.Cores, r.Rate)
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	row := func(cells ...any) {
		text := make([]string, len(cells))
		for i, cell := range cells {
			text[i] = fmt.Sprint(cell)
		}
		fmt.Fprintf(table, "| %s |\n", strings.Join(text, "\t| "))
	}
	row("fault", "seconds", "accepted", "delivered", "lost", "duplicates", "undated", "seconds until flow", "until all")
	row("---", "---", "---", "---", "---", "---", "---", "---", "---")
	var sum outcome
	for _, o := range r.Outcomes {
		row(o.Fault, seconds(o.Seconds), o.Accepted, o.Delivered, o.Lost, o.Duplicates, o.Undated, seconds(o.Flow), seconds(o.All))
		sum.Accepted, sum.Delivered, sum.Lost = sum.Accepted+o.Accepted, sum.Delivered+o.Delivered, sum.Lost+o.Lost
		sum.Duplicates, sum.Undated = sum.Duplicates+o.Duplicates, sum.Undated+o.Undated
	}
	row("all", "", sum.Accepted, sum.Delivered, sum.Lost, sum.Duplicates, sum.Undated, "", "")
	_ = table.Flush() // to a terminal or a buffer, so an error can be ignored
	fmt.Fprintf(out, "\n`switchboard verify` at the end: %d checks, %d violations, %d not completed\n", r.End.Checks, len(r.End.Violations), len(r.End.Unchecked))
}

func seconds(s float64) string { return fmt.Sprintf("%.1f", s) }

// err returns what is wrong with the results.
func (r *report) err() error {
	var errs []error
	for _, o := range r.Outcomes {
		errs = append(errs, o.err())
	}
	if n := len(r.End.Violations); n > 0 {
		errs = append(errs, fmt.Errorf("switchboard verify at the end: %d broken promises, the first is %+v", n, r.End.Violations[0]))
	}
	return errors.Join(errs...)
}

// list prints the names and descriptions of the faults.
func list(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, f := range faults() {
		fmt.Fprintf(table, "%s\t%s\n", f.name, f.what)
	}
	return table.Flush()
}
