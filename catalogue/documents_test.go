package catalogue

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"
)

// TestDocumentedCallsMatchSchemas: the calls of docs/platforms.md post what the catalogue
// describes.
func TestDocumentedCallsMatchSchemas(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/platforms.md")
	if err != nil {
		t.Fatal(err)
	}
	c := loaded(t)
	known := 0
	for _, posted := range regexp.MustCompile(`(?s)POST /v1/events '(\{[^']*\})'`).FindAllSubmatch(text, -1) {
		var e struct {
			Type string
			Data json.RawMessage
		}
		if err := json.Unmarshal(posted[1], &e); err != nil {
			t.Errorf("%s: %v", posted[1], err)
			continue
		}
		if err := c.Validate(t.Context(), e.Type, e.Data); err != nil {
			t.Errorf("%s: %v", posted[1], err)
		}
		if len(c.byName[fold(e.Type)]) > 0 {
			known++
		}
	}
	if known < 4 {
		t.Errorf("%d events of known types; want those of four platforms", known)
	}
}
