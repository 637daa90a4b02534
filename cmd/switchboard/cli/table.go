package cli

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// column is a column of a table of Ts.
type column[T any] struct {
	title string
	text  func(T) string
	color func(T) text.Color // nil: none
	least int                // the width to which it may be cut; 0: never cut
	rank  int                // among columns that do not fit, the highest rank is omitted first; 0: never omitted
}

// gap separates columns.
const gap = 2

// shortened marks the end of a cut text.
const shortened = "…"

// printTable prints a table with as many columns as fit the terminal. It omits an empty column that
// has a rank.
func printTable[T any](s *Session, columns []column[T], items []T) {
	rows := make([][]string, len(items))
	for i, item := range items {
		for _, c := range columns {
			rows[i] = append(rows[i], clean(c.text(item)))
		}
	}
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = text.StringWidth(c.title)
		for _, row := range rows {
			widths[i] = max(widths[i], text.StringWidth(row[i]))
		}
	}
	var shown []int
	for i, c := range columns {
		empty := !slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" })
		if !empty || c.rank == 0 || s.flags.Output == outputWide {
			shown = append(shown, i)
		}
	}
	if s.Width > 0 && s.flags.Output != outputWide {
		shown = fit(shown, columns, widths, s.Width)
	}
	w := newTable()
	var header table.Row
	var configs []table.ColumnConfig
	for _, i := range shown {
		header = append(header, columns[i].title)
		configs = append(configs, table.ColumnConfig{Number: len(configs) + 1, WidthMax: widths[i], WidthMaxEnforcer: func(cell string, width int) string {
			return text.Snip(cell, width, shortened)
		}})
	}
	w.AppendHeader(header)
	w.SetColumnConfigs(configs)
	for i, row := range rows {
		var cells table.Row
		for _, j := range shown {
			cell := text.Snip(row[j], widths[j], shortened)
			if color := columns[j].color; color != nil && s.Color {
				cell = color(items[i]).EscapeSeq() + cell + text.Reset.EscapeSeq()
			}
			cells = append(cells, cell)
		}
		w.AppendRow(cells)
	}
	w.SetOutputMirror(s.Out)
	w.Render()
}

// newTable returns a table without lines.
func newTable() table.Writer {
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", strings.Repeat(" ", gap)
	style.Format.Header = text.FormatUpper
	w := table.NewWriter()
	w.SetStyle(style)
	w.SuppressTrailingSpaces()
	return w
}

// fit removes the columns that do not fit, and narrows those that may be cut.
func fit[T any](shown []int, columns []column[T], widths []int, width int) []int {
	least := func(i int) int {
		if columns[i].least == 0 {
			return widths[i]
		}
		return min(widths[i], columns[i].least)
	}
	total := func(of func(int) int) int {
		sum := gap * (len(shown) - 1)
		for _, i := range shown {
			sum += of(i)
		}
		return sum
	}
	for total(least) > width {
		last := slices.MaxFunc(shown, func(a, b int) int { return columns[a].rank - columns[b].rank })
		if columns[last].rank == 0 {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == last })
	}
	for total(func(i int) int { return widths[i] }) > width {
		widest := -1
		for _, i := range shown {
			if widths[i] > least(i) && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return shown
}

// fact is one line of a description.
type fact struct{ name, value string }

// printFacts prints names and values below each other. It omits those without a value.
func (s *Session) printFacts(facts ...fact) {
	names := 0
	for _, f := range facts {
		if f.value != "" {
			names = max(names, text.StringWidth(f.name))
		}
	}
	for _, f := range facts {
		if f.value != "" {
			s.printIndented(text.Pad(f.name, names+gap, ' '), clean(f.value))
		}
	}
}

// printIndented prints a text after a label, and aligns its further lines with the first.
func (s *Session) printIndented(label, words string) {
	indent := text.StringWidth(label)
	if s.Width > indent+20 && strings.Contains(words, " ") { // a URL is copied whole
		words = text.WrapSoft(words, s.Width-indent)
	}
	for i, line := range strings.Split(words, "\n") {
		if i > 0 {
			label = strings.Repeat(" ", indent)
		}
		s.printf("%s\n", strings.TrimRight(label+strings.TrimRight(line, " "), " "))
	}
}
