package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// difference is one difference between two requests.
type difference struct {
	Path string // such as url, headers.X-Replay, body.ticket.id or line 3
	Old  string
	New  string
	Kind string // added, removed or changed
}

const (
	// maxDifferences limits the listed differences. People who want more compare files.
	maxDifferences = 200
	// longestValue is how many characters of a different value are shown.
	longestValue = 300
	// maxDiffCells limits the table for comparing lines: 4 million cells take about 10 ms.
	maxDiffCells = 4 << 20
)

// diffBodies compares two bodies: JSON by its values, other text by its lines.
func diffBodies(before, after string) []difference {
	if before == after {
		return nil
	}
	left, isLeft := parseJSON(before)
	right, isRight := parseJSON(after)
	if !isLeft || !isRight {
		return diffLines(before, after)
	}
	d := jsonDiff{}
	d.compare("body", left, right)
	if len(d.found) == 0 {
		return []difference{{Path: "body", Old: "the same values", New: "with different bytes: white space, order, escapes or repeated names", Kind: "changed"}}
	}
	return d.found
}

// parseJSON keeps numbers as they are written.
func parseJSON(text string) (value any, is bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if !json.Valid([]byte(text)) || decoder.Decode(&value) != nil {
		return nil, false
	}
	return value, true
}

type jsonDiff struct{ found []difference }

func (d *jsonDiff) add(one difference) {
	if len(d.found) < maxDifferences {
		one.Old, one.New = clip(one.Old), clip(one.New)
		d.found = append(d.found, one)
	}
}

// compare compares two values at the same place.
func (d *jsonDiff) compare(path string, left, right any) {
	switch l := left.(type) {
	case map[string]any:
		if r, same := right.(map[string]any); same {
			d.members(path, l, r)
			return
		}
	case []any:
		if r, same := right.([]any); same {
			d.elements(path, l, r)
			return
		}
	}
	if before, after := compact(left), compact(right); before != after {
		d.add(difference{path, before, after, "changed"})
	}
}

func (d *jsonDiff) members(path string, left, right map[string]any) {
	names := slices.Sorted(maps.Keys(left))
	for name := range right {
		if _, there := left[name]; !there {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		before, was := left[name]
		after, is := right[name]
		switch at := path + "." + name; {
		case !was:
			d.add(difference{at, "", compact(after), "added"})
		case !is:
			d.add(difference{at, compact(before), "", "removed"})
		default:
			d.compare(at, before, after)
		}
	}
}

func (d *jsonDiff) elements(path string, left, right []any) {
	for i := range max(len(left), len(right)) {
		switch at := path + "[" + strconv.Itoa(i) + "]"; {
		case i >= len(left):
			d.add(difference{at, "", compact(right[i]), "added"})
		case i >= len(right):
			d.add(difference{at, compact(left[i]), "", "removed"})
		default:
			d.compare(at, left[i], right[i])
		}
	}
}

// compact writes a value as JSON in one line.
func compact(value any) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return fmt.Sprint(value)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func clip(text string) string {
	if runes := []rune(text); len(runes) > longestValue {
		return string(runes[:longestValue]) + "…"
	}
	return text
}

// diffLines compares texts line by line. Lines that are common to both in the same order stay, the
// others are removed or added.
func diffLines(before, after string) []difference {
	left, right := strings.Split(before, "\n"), strings.Split(after, "\n")
	start := 0
	for start < len(left) && start < len(right) && left[start] == right[start] {
		start++
	}
	end := 0
	for end < len(left)-start && end < len(right)-start && left[len(left)-1-end] == right[len(right)-1-end] {
		end++
	}
	d := jsonDiff{}
	changed := lineDiff{left: left[start : len(left)-end], right: right[start : len(right)-end], first: start + 1, out: &d}
	changed.walk()
	return d.found
}

// lineDiff compares the lines between the common beginning and the common end of two texts.
type lineDiff struct {
	left, right []string
	first       int // number of the first of these lines
	out         *jsonDiff
}

func (l *lineDiff) removed(i int) {
	l.out.add(difference{"line " + strconv.Itoa(l.first+i), l.left[i], "", "removed"})
}

func (l *lineDiff) added(j int) {
	l.out.add(difference{"line " + strconv.Itoa(l.first+j), "", l.right[j], "added"})
}

func (l *lineDiff) walk() {
	common := l.commonLengths()
	i, j := 0, 0
	for i < len(l.left) || j < len(l.right) {
		switch {
		case common != nil && i < len(l.left) && j < len(l.right) && l.left[i] == l.right[j]:
			i, j = i+1, j+1
		case i < len(l.left) && (common == nil || j == len(l.right) || common[i+1][j] >= common[i][j+1]):
			l.removed(i)
			i++
		default:
			l.added(j)
			j++
		}
	}
}

// commonLengths returns, for each pair of lines, how many lines the rests have in common; nil:
// there are too many lines.
func (l *lineDiff) commonLengths() [][]int32 {
	if (len(l.left)+1)*(len(l.right)+1) > maxDiffCells {
		return nil
	}
	common := make([][]int32, len(l.left)+1)
	for i := range common {
		common[i] = make([]int32, len(l.right)+1)
	}
	for i := len(l.left) - 1; i >= 0; i-- {
		for j := len(l.right) - 1; j >= 0; j-- {
			if l.left[i] == l.right[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	return common
}

// diffHeaders compares headers, except those that differ between any two requests.
func diffHeaders(before, after map[string]string) []difference {
	var found []difference
	names := slices.Concat(slices.Collect(maps.Keys(before)), slices.Collect(maps.Keys(after)))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if strings.HasPrefix(name, "Webhook-") || strings.Contains(strings.ToLower(name), "signature") || name == "Content-Length" {
			continue
		}
		old, was := before[name]
		now, is := after[name]
		switch path := "headers." + name; {
		case !was:
			found = append(found, difference{path, "", clip(now), "added"})
		case !is:
			found = append(found, difference{path, clip(old), "", "removed"})
		case old != now:
			found = append(found, difference{path, clip(old), clip(now), "changed"})
		}
	}
	return found
}
