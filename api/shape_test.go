package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestShape: the shape has types and lengths, and only those names that are in the catalogue.
func TestShape(t *testing.T) {
	t.Parallel()
	names := schemaNames{"ticket": true, "tags": true}
	for document, want := range map[string]string{
		`7`:                        ` number`,
		`"Grüße"`:                  ` string 5`,
		`true`:                     ` boolean`,
		`null`:                     ` null`,
		`{}`:                       ` object 0`,
		`[]`:                       ` array 0`,
		`{"ticket":{"ada@x":"b"}}`: ` object 1; ticket object 1; ticket.… string 1`,
		`{"tags":["a",1,null]}`:    ` object 1; tags array 3; tags[0] string 1; tags[1] number; tags[2] null`,
		`{"b":1,"a":{"tags":2}}`:   ` object 2; … number; … object 1; ….tags number`,
		`[[1],{"x":false}]`:        ` array 2; [0] array 1; [0][0] number; [1] object 1; [1].… boolean`,
		`{"a":1`:                   ``,
		`<xml/>`:                   ``,
		``:                         ``,
	} {
		var parts []string
		for _, p := range shapeOf([]byte(document), names) {
			text := p.Path + " " + p.Type
			if p.Length != nil {
				text += fmt.Sprintf(" %d", *p.Length)
			}
			parts = append(parts, text)
		}
		if diff := cmp.Diff(want, strings.Join(parts, "; ")); diff != "" {
			t.Errorf("%s: %s", document, diff)
		}
	}
	long := shapeOf([]byte("["+strings.Repeat(`{"a":1},`, 500)+"1]"), nil)
	if len(long) != maxShapeParts || *long[0].Length != 501 {
		t.Errorf("%d parts are listed, of an array of %d", len(long), *long[0].Length)
	}
}
