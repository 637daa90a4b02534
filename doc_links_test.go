package switchboard_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentLinks follows every relative link of every document to its file, and to its heading
// if the link has one.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	links := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, document := range documents(t) {
		for _, link := range links.FindAllStringSubmatch(prose(readDocument(t, document)), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(link[1], "#")
			target := document
			if path != "" {
				target = filepath.Join(filepath.Dir(document), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", document, link[1])
				continue
			}
			if anchor != "" && !hasHeading(readDocument(t, target), anchor) {
				t.Errorf("%s links to %s, and there is no such heading", document, link[1])
			}
		}
	}
}

// TestIndexLinksEveryDocument ensures that every document can be found: those of docs/ and deploy/
// are in the index by reader, the others in the README.
func TestIndexLinksEveryDocument(t *testing.T) {
	t.Parallel()
	const index = "docs/README.md"
	for _, document := range documents(t) {
		from := index
		if filepath.Dir(document) == "." || document == index {
			from = "README.md"
		}
		link, err := filepath.Rel(filepath.Dir(from), document)
		if err != nil {
			t.Fatal(err)
		}
		if document != "README.md" && !strings.Contains(readDocument(t, from), "("+link+")") {
			t.Errorf("%s has no link to %s", from, document)
		}
	}
}

// documents returns the Markdown files in the folders with documents.
func documents(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*.md", "deploy/helm/*/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, files...)
	}
	if len(found) < 10 {
		t.Fatalf("found %d documents: the test looks in the wrong place", len(found))
	}
	return found
}

func readDocument(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// prose returns a document without its code, because text that looks like a link there is none.
func prose(text string) string {
	text = regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text, "")
	return regexp.MustCompile("`[^`\n]*`").ReplaceAllString(text, "")
}

// hasHeading reports whether a document has the heading of an anchor, by the rule of GitHub: lower
// case, without punctuation, with a dash for each space.
func hasHeading(text, anchor string) bool {
	punctuation := regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
	for _, heading := range regexp.MustCompile(`(?m)^#+ +(.*)$`).FindAllStringSubmatch(text, -1) {
		slug := punctuation.ReplaceAllString(strings.ToLower(heading[1]), "")
		if strings.ReplaceAll(slug, " ", "-") == anchor {
			return true
		}
	}
	return false
}
