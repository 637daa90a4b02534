package render

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render/document"
)

// Computing the size of a text visits each of its letters. A template that repeated this took 15 s
// of a worker.
func TestSizesArePaidFor(t *testing.T) {
	t.Parallel()
	render := func(times int) error {
		params := `{"a":"` + strings.Repeat("{{a.size}}", times) + `"}`
		_, err := render(NewRenderer(nil), switchboard.LoadedDelivery{
			Event: switchboard.Event{Data: []byte(`{"a":"` + strings.Repeat("é", 100<<10) + `"}`)},
			Subscription: switchboard.Subscription{Request: switchboard.Request{
				Method: "POST", URL: "https://a.example/", Body: switchboard.BodyParams, Params: []byte(params), ContentType: "application/json",
			}},
		})
		return err
	}
	if err := render(5); err != nil {
		t.Errorf("a few: %v", err)
	}
	if err := render(500); err == nil || !strings.Contains(err.Error(), "too much work") {
		t.Errorf("500 sizes of a text of 200 KiB: %v; want it to be too much work", err)
	}
}

// Items without output still have names: 40,000 of them under a name of 120 KB took 2.8 GB of a
// worker.
func TestItemsWithoutFieldsArePaidFor(t *testing.T) { // not parallel: it reads the heap's counters
	long := strings.Repeat("k", 120<<10)
	for name, data := range map[string]string{
		"objects": `{"` + long + `":[` + strings.Repeat("{},", 40_000) + `{}]}`,
		"arrays":  `{"` + long + `":[` + strings.Repeat("[],", 40_000) + `[]]}`,
		"members": `{"` + long + `":{` + numbered(10_000, `"%d":{},`) + `"last":[]}}`,
		"deep":    `{"` + long + `":[` + strings.Repeat("[[{}]],", 10_000) + `1]}`,
	} {
		value, err := document.Decode([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		before := allocated()
		_, err = form(value, maxEncoded)
		if used := allocated() - before; used > 32*maxEncoded {
			t.Errorf("%s: allocated %d bytes", name, used)
		}
		if err == nil || !strings.Contains(err.Error(), "longer than 1024 KiB") {
			t.Errorf("%s: %v; want it to be too long", name, err)
		}
	}
	few, err := document.Decode([]byte(`{"a":[{},[]],"b":{"c":{}},"d":[{"e":1}],"f":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := form(few, maxRenderedURL); err != nil || string(got) != "d%5B0%5D%5Be%5D=1" {
		t.Errorf("a few: %q, %v", got, err)
	}
}

// numbered repeats the format with each number below n.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}
