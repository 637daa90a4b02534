package filter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// knownTypes are two event types of one platform, of which only the first has a schema.
func knownTypes() []switchboard.EventType {
	return []switchboard.EventType{
		{
			Name: "ticket.created", Platform: "desk",
			Schema: []byte(`{"type":"object","properties":{"ticket":{"type":"object","properties":{
				"id":{"type":"string"},"priority":{"type":"integer"},"closed_at":{"type":["string","null"]},"custom":{"type":"object"},
				"any":{},"lines":{"type":"array","items":{"$ref":"#/$defs/line"}}}}},
				"$defs":{"line":{"type":"object","properties":{"sku":{"type":"string"},"note":{"type":"string"}}}}}`),
			Sample: []byte(`{"ticket":{"id":"7","priority":3,"status":"open","vip":true,"tags":["a","b"],"lines":[{"sku":"x","n":1}],"owner":null}}`),
		},
		{
			Name: "call.rang", Platform: "desk",
			Samples: []switchboard.Sample{{Name: "in", Data: []byte(`{"call":{"Number":"555","seconds":9}}`)}, {Name: "out", Data: []byte(`{"call":{"to":"556"}}`)}},
		},
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		filter string
		want   string // empty: no warning; otherwise the warnings contain its parts, which * separates
	}{
		{`{}`, ``},
		{`{"data":{"ticket":{"id":"7"}}}`, ``},
		{`{"data":{"ticket":{"priority":{"$gte":3}}}}`, ``},
		{`{"data":{"ticket":{"tags":"b"}}}`, ``},
		{`{"data":{"ticket":{"lines":{"sku":"x"}}}}`, ``},
		{`{"data":{"ticket":{"lines":{"note":{"$exist":false}}}}}`, ``},
		{`{"data":{"call":{"seconds":{"$lt":10}}}}`, ``},
		{`{"data":{"call":{"to":"556"}}}`, ``},
		{`{"data":{"ticket":{"owner":5}}}`, `takes none of the 3 samples*data.ticket.owner is null`}, // null says nothing about other kinds
		{`{"metadata":{"type":"TICKET.created"}}`, ``},
		{`{"metadata":{"tenant":"acme"}}`, ``},
		{`{"metadata":{"key":"42","id":{"$startsWith":"x"},"occurred_at":{"$gt":"2026-01-01T00:00:00Z"}}}`, ``},
		{`{"$or":[{"metadata":{"key":"42"}},{"data":{"ticket":{"id":"8"}}}]}`, ``},

		// a member that nothing has
		{`{"data":{"tickt":{"id":"7"}}}`, `filter.data.tickt: data.tickt is in none of the samples of these events (desk); is ticket meant?`},
		{`{"data":{"ticket":{"Id":"7"}}}`, `filter.data.ticket.Id: data.ticket.Id is in none*is id meant?`},
		{`{"data":{"ticket":{"lines":{"skuu":"7"}}}}`, `data.ticket.lines.skuu is in none*is sku meant?`},
		{`{"data":{"call":{"number":"555"}}}`, `data.call.number is in none*is Number meant?`},
		{`{"data":{"ticket":{"entirely_different":"7"}}}`, `data.ticket.entirely_different is in none of the samples of these events (desk)`},
		{`{"data":{"ticket":{"status":{"name":"open"}}}}`, `data.ticket.status.name is in none`},
		{`{"data":{"id":"7"}}`, `data.id is in none`},
		{`{"data":{"gone":{"$exist":false}}}`, `data.gone is in none`},
		{`{"$not":{"data":{"gone":1}}}`, `filter.$not.data.gone: data.gone is in none`},
		{`{"$or":[{"data":{"ticket":{"id":"7"}}},{"data":{"ticket":{"idd":"7"}}}]}`, `filter.$or[1].data.ticket.idd: *is id meant?`},
		{`{"data":{"tickt":{"id":"7","a":{"b":1}}}}`, `filter.data.tickt: `}, // once, and not for each member in it

		// a member that only the schema has, or allows
		{`{"data":{"ticket":{"closed_at":{"$exist":true}}}}`, `takes none of the 3 samples`},
		{`{"data":{"ticket":{"closed_at":{"$exist":false}}}}`, ``},
		{`{"data":{"ticket":{"closed_at":5}}}`, `data.ticket.closed_at is a text in *which is not compared with a number`},
		{`{"data":{"ticket":{"custom":{"height":{"$ne":5}}}}}`, ``},
		{`{"data":{"ticket":{"any":{"$ne":5}}}}`, ``},

		// a value of another kind
		{`{"data":{"ticket":{"id":7}}}`, `filter.data.ticket.id: data.ticket.id is a text in the samples of these events (desk), which is not compared with a number`},
		{`{"data":{"ticket":{"id":{"$in":[1,7]}}}}`, `filter.data.ticket.id.$in: data.ticket.id is a text in*a number`},
		{`{"data":{"ticket":{"id":{"$in":["7",8]}}}}`, `data.ticket.id is a text in*a number`},
		{`{"data":{"ticket":{"id":{"$nin":[7]}}}}`, `data.ticket.id is a text in*a number`},
		{`{"data":{"ticket":{"id":{"$ne":7}}}}`, `data.ticket.id is a text in*a number`},
		{`{"data":{"ticket":{"id":{"$gt":6}}}}`, `data.ticket.id is a text in*a number`},
		{`{"data":{"ticket":{"id":{"$ne":null}}}}`, ``},
		{`{"data":{"ticket":{"priority":"3"}}}`, `data.ticket.priority is a number in*a text`},
		{`{"data":{"ticket":{"priority":{"$regex":"3"}}}}`, `data.ticket.priority is a number in*a text`},
		{`{"data":{"ticket":{"vip":"true"}}}`, `data.ticket.vip is a boolean in*a text`},
		{`{"data":{"ticket":{"tags":5}}}`, `data.ticket.tags is a list or a text in*a number`},
		{`{"data":{"ticket":{"lines":{"n":"1"}}}}`, `data.ticket.lines.n is a number in*a text`},
		{`{"data":{"ticket":"7"}}`, `data.ticket is an object in*a text`},

		// what no sample satisfies
		{`{"data":{"ticket":{"status":"closed"}}}`, `filter: takes none of the 3 samples of these events (desk), which is fine if it asks for other values; nearest is ticket.created: data.ticket.status is "open"; it must be "closed"`},
		{`{"metadata":{"type":"ticket.creatd"}}`, `takes none of the 3 samples*metadata.type is "ticket.created"; it must be "ticket.creatd"`},
		{`{"metadata":{"tenant":"globex"}}`, `takes none of the 3 samples*metadata.tenant is "acme"`},
		{`{"data":{"ticket":{"id":"7"},"call":{"to":"556"}}}`, `takes none of the 3 samples*data.call.to does not exist`},
		{`{"metadata":{"type":{"$regex":"^x"}},"data":{"ticket":{"id":"7"}}}`, `takes none of the 3 samples*nearest is ticket.created`},
	} {
		got := mustParse(t, test.filter).Check("acme", knownTypes())
		if test.want == "" {
			if len(got) > 0 {
				t.Errorf("%s: %q", test.filter, got)
			}
			continue
		}
		for _, part := range strings.Split(test.want, "*") {
			if len(got) != 1 || !strings.Contains(got[0], part) {
				t.Errorf("%s: %q; want %q", test.filter, got, part)
			}
		}
	}
}

// Without samples there is nothing to match a filter against.
func TestCheckOfUnknownTypes(t *testing.T) {
	t.Parallel()
	filter := mustParse(t, `{"data":{"a":1},"metadata":{"type":"x"}}`)
	for _, types := range [][]switchboard.EventType{
		nil,
		{{Name: "x", Schema: []byte(`{"type":"object","properties":{}}`)}},
	} {
		if got := filter.Check("acme", types); len(got) > 0 {
			t.Errorf("%q", got)
		}
	}
}

// A person waits for it, and schemas and samples are as large as admins make them.
func TestCheckIsBounded(t *testing.T) {
	t.Parallel()
	conditions := strings.TrimSuffix(strings.Repeat(`{"data":{"a":{"b":"x","gone":1}}},`, maxConditions/2), ",")
	filter := mustParse(t, `{"$or":[`+conditions+`]}`)
	var samples []switchboard.Sample
	for range 50 {
		samples = append(samples, switchboard.Sample{Data: []byte(`{"a":[` + strings.Repeat(`{"b":1},`, 8000) + `{"b":1}]}`)})
	}
	var types []switchboard.EventType
	for i := range 20 {
		types = append(types, switchboard.EventType{Name: fmt.Sprint("t", i), Samples: samples})
	}
	if got := filter.Check("acme", types); len(got) != 0 { // nothing is said about what was not searched
		t.Errorf("%q", got)
	}
	// For any number of strange conditions, and any length of names.
	strange := `{"data":{"` + strings.Repeat("é", 1000) + `":1}},`
	filter = mustParse(t, `{"$or":[`+strings.Repeat(strange, 6)+strings.Repeat(`{"data":{"gone":1}},`, 100)+`{"data":{"b":1}}]}`)
	got := filter.Check("acme", []switchboard.EventType{{Name: "t", Sample: []byte(`{"a":1}`)}})
	if len(got) != maxWarnings || !strings.Contains(got[maxWarnings-1], "more warnings") || len(strings.Join(got, "")) > 10_000 {
		t.Errorf("%d warnings: %q", len(got), got)
	}
}
