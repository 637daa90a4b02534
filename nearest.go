package switchboard

import "strings"

// maxNearest is the longest name that is compared with others, in bytes: the work grows
// with the square of it.
const maxNearest = MaxEventType

// Nearest returns the one of names that the name is most likely a misspelling of; empty:
// none is near. One that differs in case only is the nearest.
func Nearest(name string, names []string) string {
	best, least := "", min(3, 1+len(name)/5) // letters that may be wrong: one of a short name
	if len(name) > maxNearest {
		return ""
	}
	folded := strings.ToLower(name)
	for _, other := range names {
		if len(other) > maxNearest || max(len(other), len(name))-min(len(other), len(name)) > least {
			continue
		}
		if d := distance(folded, strings.ToLower(other)); d < least || d == least && best == "" {
			best, least = other, d
		}
	}
	return best
}

// distance is the number of letters to insert, to take away or to replace to make one
// text of the other (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
