package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// BenchmarkRender is the cost of rendering a delivery without a signature.
func BenchmarkRender(b *testing.B) {
	data := `{"contact":{"id":12345678901234567890,"first_name":"Mei","czCol":{"15":"172"}},"text":"` + strings.Repeat("x", 1800) + `"}`
	bare := work("https://receiver.test/hook")
	bare.Event.Data = []byte(data)

	params := script("POST", "application/json", "{"+strings.Join(twentyLeaves(), ",")+"}")
	params.Event.Data = []byte(data)

	asXML := bare
	asXML.Event.Data = []byte(strings.Replace(data, `"15"`, `"n15"`, 1))
	asXML.Subscription.Request.ContentType = "text/xml"
	asXML.Subscription.Request.XML = commbox()

	for _, c := range []struct {
		name string
		work switchboard.LoadedDelivery
	}{{"data", bare}, {"params20", params}, {"xml", asXML}} {
		b.Run(c.name, func(b *testing.B) {
			renderer := NewRenderer(firstline{})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := render(renderer, c.work); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func twentyLeaves() []string {
	var leaves []string
	for i := range 5 {
		leaves = append(leaves, fmt.Sprintf(`"a%d":"{{ contact.first_name }}","b%d":"{{ contact.id }}","c%d":"Dear {{ contact.first_name | upcase }}",`+
			`"d%d":"{%% if contact.czCol.15 == '172' %%}tall{%% else %%}small{%% endif %%}"`, i, i, i, i))
	}
	return leaves
}

func TestParsedTemplatesAreKept(t *testing.T) {
	t.Parallel()
	renderer := NewRenderer(nil)
	first, err := renderer.parse("{{ a }}")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := renderer.parse("{{ a }}"); err != nil || again != first {
		t.Errorf("parsed again: %v", err)
	}
	for i := range 2 * maxCached {
		if _, err := renderer.parse(fmt.Sprintf("{{ a }}%d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if kept := renderer.templates.Len(); kept > maxCached {
		t.Errorf("%d templates are kept", kept)
	}
	long := "{{ a }}" + strings.Repeat("x", maxCachedLength)
	if _, err := renderer.parse(long); err != nil {
		t.Fatal(err)
	}
	if _, kept := renderer.templates.Get(long); kept {
		t.Error("a long template is kept")
	}
}
