package switchboard

import "strings"

// maxNearest is the longest name that is compared, in bytes: the work grows with its square.
const maxNearest = MaxEventType

// Nearest returns the name that the given one is most likely a misspelling of, or "" if none
// is near. A name that differs only in case is the nearest.
func Nearest(name string, names []string) string {
	best, least := "", min(3, 1+len(name)/5) // wrong letters; one in a short name
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

// distance returns the Levenshtein distance: the number of letters to insert, remove or replace.
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
