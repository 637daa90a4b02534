package filter

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/seed-49a43567/switchboard"
)

func mustParse(t testing.TB, document string) Filter {
	t.Helper()
	f, err := Parse([]byte(document))
	if err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return f
}

// eventOf returns an event with those data.
func eventOf(data string) *switchboard.Event {
	return &switchboard.Event{
		ID: "evt_1", Tenant: "acme", Type: "ticket.created", Data: []byte(data),
		OccurredAt: time.Date(2026, 3, 1, 13, 0, 0, 500_000_000, time.FixedZone("CET", 3600)),
	}
}

func TestMatchData(t *testing.T) {
	t.Parallel()
	const ticket = `{"ticket":{"channel":"whatsapp","priority":3,"vip":true,"note":null,"tags":["urgent","vip"],"scores":[1,5],"empty":[],
		"items":[{"sku":"a","n":1},{"sku":"b","n":2}],"grid":[[1,2],[3]],"owner":{"id":9007199254740993,"x":1.50}}}`
	for filter, want := range map[string]bool{
		// a bare value, nested objects
		`{"channel":"whatsapp"}`:              true,
		`{"channel":"sms"}`:                   false,
		`{"channel":"WhatsApp"}`:              false,
		`{"channel":"whatsapp","priority":3}`: true,
		`{"channel":"whatsapp","priority":4}`: false,
		`{"priority":3.0}`:                    true,
		`{"priority":"3"}`:                    false,
		`{"vip":true}`:                        true,
		`{"vip":false}`:                       false,
		`{"vip":"true"}`:                      false,
		`{"vip":1}`:                           false,
		`{"note":null}`:                       true,
		`{"gone":null}`:                       false,
		`{"channel":null}`:                    false,
		`{"owner":{"x":1.5}}`:                 true,
		`{"channel":{"x":1}}`:                 false,
		// $eq and $ne
		`{"channel":{"$eq":"whatsapp"}}`:                          true,
		`{"owner":{"$eq":{"x":1.5,"id":9007199254740993}}}`:       true,
		`{"owner":{"$eq":{"x":1.5}}}`:                             false,
		`{"owner":{"$eq":{"x":1.5,"id":9007199254740993,"y":1}}}`: false,
		`{"owner":{"$eq":{"x":1.5,"y":1}}}`:                       false,
		`{"channel":{"$eq":{}}}`:                                  false,
		`{"channel":{"$ne":"sms"}}`:                               true,
		`{"channel":{"$ne":"whatsapp"}}`:                          false,
		`{"priority":{"$ne":"3"}}`:                                true,
		`{"gone":{"$ne":1}}`:                                      true,
		`{"note":{"$ne":null}}`:                                   false,
		// numbers, exactly
		`{"owner":{"id":9007199254740993}}`:             true,
		`{"owner":{"id":9007199254740992}}`:             false,
		`{"owner":{"id":{"$gt":9007199254740992}}}`:     true,
		`{"owner":{"id":{"$gt":9007199254740993}}}`:     false,
		`{"owner":{"id":9.007199254740993e15}}`:         true,
		`{"priority":{"$gt":2.9999999999999999999999}}`: true,
		`{"priority":{"$gte":3}}`:                       true,
		`{"priority":{"$gt":3}}`:                        false,
		`{"priority":{"$lte":3}}`:                       true,
		`{"priority":{"$lt":3}}`:                        false,
		`{"priority":{"$gte":-3e2,"$lt":30}}`:           true,
		`{"priority":{"$gt":"2"}}`:                      false,
		`{"channel":{"$gt":2}}`:                         false,
		`{"gone":{"$lt":2}}`:                            false,
		`{"note":{"$gte":0}}`:                           false,
		`{"vip":{"$gte":0}}`:                            false,
		// texts
		`{"channel":{"$gt":"sms"}}`:          true,
		`{"channel":{"$lt":"sms"}}`:          false,
		`{"channel":{"$lt":"zzz"}}`:          true,
		`{"channel":{"$gt":"Zzz"}}`:          true,
		`{"channel":{"$startsWith":"what"}}`: true,
		`{"channel":{"$startsWith":"app"}}`:  false,
		`{"channel":{"$startsWith":""}}`:     true,
		`{"channel":{"$endsWith":"app"}}`:    true,
		`{"channel":{"$endsWith":"what"}}`:   false,
		`{"priority":{"$startsWith":""}}`:    false,
		`{"gone":{"$startsWith":""}}`:        false,
		`{"channel":{"$regex":"^what"}}`:     true,
		`{"channel":{"$regex":"sa"}}`:        true,
		`{"channel":{"$regex":"^app"}}`:      false,
		`{"channel":{"$regex":"(?i)WHATS"}}`: true,
		`{"priority":{"$regex":"3"}}`:        false,
		// $in and $nin
		`{"channel":{"$in":["sms","whatsapp"]}}`:  true,
		`{"channel":{"$in":["sms"]}}`:             false,
		`{"priority":{"$in":[1,3.00]}}`:           true,
		`{"priority":{"$in":["3"]}}`:              false,
		`{"note":{"$in":[null]}}`:                 true,
		`{"gone":{"$in":[null]}}`:                 false,
		`{"vip":{"$in":[true]}}`:                  true,
		`{"owner":{"$in":["x"]}}`:                 false,
		`{"channel":{"$nin":["sms"]}}`:            true,
		`{"channel":{"$nin":["sms","whatsapp"]}}`: false,
		`{"gone":{"$nin":["sms"]}}`:               true,
		// $exist
		`{"channel":{"$exist":true}}`:            true,
		`{"channel":{"$exist":false}}`:           false,
		`{"gone":{"$exist":false}}`:              true,
		`{"gone":{"$exist":true}}`:               false,
		`{"note":{"$exist":true}}`:               true,
		`{"gone":{"deeper":{"$exist":false}}}`:   true,
		`{"channel":{"deeper":{"$exist":true}}}`: false,
		`{"empty":{"$exist":true}}`:              true,
		// lists of values
		`{"tags":"urgent"}`:              true,
		`{"tags":"none"}`:                false,
		`{"tags":["urgent","vip"]}`:      true,
		`{"tags":["urgent"]}`:            false,
		`{"tags":["vip","urgent"]}`:      false,
		`{"tags":{"$ne":"urgent"}}`:      false,
		`{"tags":{"$ne":"none"}}`:        true,
		`{"tags":{"$in":["vip","x"]}}`:   true,
		`{"tags":{"$nin":["vip","x"]}}`:  false,
		`{"tags":{"$nin":["x"]}}`:        true,
		`{"tags":{"$startsWith":"urg"}}`: true,
		`{"tags":{"$regex":"^v"}}`:       true,
		`{"scores":{"$gt":4}}`:           true,
		`{"scores":{"$gt":5}}`:           false,
		`{"scores":{"$gt":4,"$lt":2}}`:   true, // by different elements
		`{"empty":"x"}`:                  false,
		`{"empty":{"$ne":"x"}}`:          true,
		`{"empty":[]}`:                   true,
		`{"grid":3}`:                     true,
		`{"grid":[3]}`:                   true,
		`{"grid":[1]}`:                   false,
		// lists of objects: one element for all
		`{"items":{"sku":"a"}}`:                    true,
		`{"items":{"sku":"c"}}`:                    false,
		`{"items":{"sku":"a","n":1}}`:              true,
		`{"items":{"sku":"a","n":2}}`:              false,
		`{"items":{"sku":{"$ne":"a"}}}`:            true,
		`{"items":{"gone":{"$exist":true}}}`:       false,
		`{"empty":{"gone":{"$exist":false}}}`:      false,
		`{"items":{"$and":[{"sku":"a"},{"n":2}]}}`: true,
		`{"items":{"sku":"a","$not":{"n":1}}}`:     false,
		`{"items":{"sku":"b","$not":{"n":1}}}`:     true,
		`{"items":{"$not":{"sku":"a"}}}`:           false,
		`{"items":{"$not":{"sku":"c"}}}`:           true,
		// logic at any level
		`{"$or":[{"channel":"sms"},{"priority":3}]}`:                                                  true,
		`{"$or":[{"channel":"sms"},{"priority":4}]}`:                                                  false,
		`{"channel":{"$or":["sms","whatsapp"]}}`:                                                      true,
		`{"$and":[{"channel":"whatsapp"},{"priority":3}]}`:                                            true,
		`{"$and":[{"channel":"whatsapp"},{"priority":4}]}`:                                            false,
		`{"$not":{"channel":"sms"}}`:                                                                  true,
		`{"$not":{"channel":"whatsapp"}}`:                                                             false,
		`{"channel":{"$not":{"$in":["sms"]}}}`:                                                        true,
		`{"channel":{"$not":"whatsapp"}}`:                                                             false,
		`{"gone":{"$not":{"$gt":1}}}`:                                                                 true,
		`{"vip":true,"$or":[{"channel":"sms"},{"channel":"whatsapp","$not":{"priority":{"$lt":3}}}]}`: true,
		`{"priority":{"$or":[{"$lt":2},{"$gt":2,"$lt":4}]}}`:                                          true,
	} {
		f := mustParse(t, `{"data":{"ticket":`+filter+`}}`)
		if got := f.Match(eventOf(ticket)); got != want {
			t.Errorf("%s: %t; want %t", filter, got, want)
		}
	}
}

func TestMatchDataOfAnyShape(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		filter, data string
		want         bool
	}{
		{`{"data":{"a":1}}`, `5`, false},
		{`{"data":{"a":1}}`, `"a"`, false},
		{`{"data":{"a":1}}`, `null`, false},
		{`{"data":{"a":1}}`, `not JSON`, false},
		{`{"data":{"a":{"$exist":false}}}`, `5`, true},
		{`{"data":{"a":1}}`, `[{"a":2},{"a":1}]`, true},
		{`{"data":"a"}`, `"a"`, true},
		{`{"data":5}`, `5.0`, true},
		{`{"data":{"$gt":4}}`, `5`, true},
		{`{"data":{"a":1}}`, `{"a":2,"a":1}`, true}, // decoders use the last one
		{`{"data":{"":{"$exist":true}}}`, `{"":0}`, true},
		{`{"data":{"ключ":"é"}}`, `{"ключ":"\u00e9"}`, true},
		{`{"data":{"n":{"$gt":1e999999}}}`, `{"n":1e999999999999999999999}`, true},
		{`{"data":{"n":{"$lt":1e-999999}}}`, `{"n":1e-999999999999999999999}`, true},
		{`{"data":{"n":0}}`, `{"n":-0.000e99}`, true},
		{`{"data":{"n":{"$lt":-1}}}`, `{"n":-1.0000000000000000000000000001}`, true},
	} {
		if got := mustParse(t, test.filter).Match(eventOf(test.data)); got != test.want {
			t.Errorf("%s of %s: %t; want %t", test.filter, test.data, got, test.want)
		}
	}
}

func TestMatchMetadata(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]bool{
		`{"metadata":{"type":"ticket.created"}}`:                       true,
		`{"metadata":{"type":{"$startsWith":"ticket."}}}`:              true,
		`{"metadata":{"type":{"$regex":"^call"}}}`:                     false,
		`{"metadata":{"id":{"$in":["evt_1","evt_2"]}}}`:                true,
		`{"metadata":{"tenant":"acme","id":"evt_1"}}`:                  true,
		`{"metadata":{"tenant":{"$ne":"acme"}}}`:                       false,
		`{"metadata":{"key":{"$exist":false}}}`:                        true,
		`{"metadata":{"key":""}}`:                                      false,
		`{"metadata":{"$or":[{"key":"1"},{"type":"ticket.created"}]}}`: true,
		// The event is of 2026-03-01T12:00:00.5Z.
		`{"metadata":{"occurred_at":"2026-03-01T12:00:00.5Z"}}`:                                                  true,
		`{"metadata":{"occurred_at":"2026-03-01T14:00:00.500+02:00"}}`:                                           true,
		`{"metadata":{"occurred_at":{"$gt":"2026-03-01T12:00:00Z"}}}`:                                            true,
		`{"metadata":{"occurred_at":{"$gt":"2026-03-01T12:30:00+01:00","$lt":"2026-03-01T13:30:00+01:00"}}}`:     true,
		`{"metadata":{"occurred_at":{"$lte":"2026-03-01T12:00:00Z"}}}`:                                           false,
		`{"metadata":{"occurred_at":{"$in":["2026-03-01T13:00:00.5+01:00"]}}}`:                                   true,
		`{"metadata":{"occurred_at":{"$startsWith":"2026-03-01T12:00:00.5Z"}}}`:                                  true,
		`{"metadata":{"occurred_at":{"$regex":"T1[0-2]:"}}}`:                                                     true,
		`{"$or":[{"metadata":{"key":"1"}},{"data":{"a":1}}]}`:                                                    true,
		`{"$not":{"data":{"a":1}},"metadata":{"type":"ticket.created"}}`:                                         false,
		`{"$and":[{"metadata":{"type":"ticket.created"}},{"$not":{"$or":[{"data":{"a":2}},{"data":{"a":3}}]}}]}`: true,
		``:      true,
		`{}`:    true,
		` { } `: true,
		`null`:  true,
	} {
		if got := mustParse(t, filter).Match(eventOf(`{"a":1}`)); got != want {
			t.Errorf("%s: %t; want %t", filter, got, want)
		}
	}
	keyed := eventOf(`{}`)
	keyed.Key = "42"
	if !mustParse(t, `{"metadata":{"key":"42"}}`).Match(keyed) {
		t.Error("the key does not match")
	}
}

func TestParseNamesTheLocation(t *testing.T) {
	t.Parallel()
	nested := func(levels int) string {
		return `{"data":` + strings.Repeat(`{"a":`, levels-1) + `1` + strings.Repeat(`}`, levels-1) + `}`
	}
	list := func(n int, element string) string { return strings.TrimSuffix(strings.Repeat(element+",", n), ",") }
	for _, document := range []string{
		nested(maxDepth),
		`{"data":{"$or":[` + list(maxConditions, `{"a":1}`) + `]}}`,
		`{"data":{"a":{"$in":[` + list(maxIn, `1`) + `]}}}`,
		`{"data":{"a":{"$regex":"` + strings.Repeat("a", maxRegex) + `"}}}`,
		`{"data":{"a":1e999999999}}`,
		`{"data":{"a":{"b":{"$ne":{"$gt":{},"x.y":[1]}}}}}`,
	} {
		if _, err := Parse([]byte(document)); err != nil {
			t.Errorf("%.60s: %v", document, err)
		}
	}
	for _, test := range []struct{ document, field string }{
		{`{`, "filter"},
		{`{"data":{"a":1}} x`, "filter"},
		{`5`, "filter"},
		{`[]`, "filter"},
		{`"x"`, "filter"},
		{"{\"data\":\"\xff\"}", "filter"},
		{`{"data":"` + strings.Repeat("a", maxDocument) + `"}`, "filter"},
		{nested(maxDepth + 1), "filter"},
		{`{"data":` + strings.Repeat(`[`, 20) + strings.Repeat(`]`, 20) + `}`, "filter"},
		{`{"data":{"$or":[` + list(maxConditions+1, `{"a":1}`) + `]}}`, "filter"},
		{`{"event":{"a":1}}`, "filter.event"},
		{`{"data.ticket":1}`, "filter.data.ticket"},
		{`{"$eq":1}`, "filter.$eq"},
		{`{"$or":[{"ticket":1}]}`, "filter.$or[0].ticket"},
		{`{"data":{"ticket.priority":3}}`, "filter.data.ticket.priority"},
		{`{"data":{}}`, "filter.data"},
		{`{"data":{"a":{}}}`, "filter.data.a"},
		{`{"data":{"a":1,"a":2}}`, "filter.data.a"},
		{`{"data":{"a":1},"data":{"b":1}}`, "filter.data"},
		{`{"data":{"a":{"$eq":{"x":1,"x":2}}}}`, "filter.data.a.$eq.x"},
		{`{"data":{"a":{"$gt":1,"b":2}}}`, "filter.data.a"},
		{`{"data":{"a":{"b":2,"$exist":true}}}`, "filter.data.a"},
		{`{"data":{"a":{"$neq":1}}}`, "filter.data.a.$neq"},
		{`{"data":{"a":{"$where":"x"}}}`, "filter.data.a.$where"},
		{`{"data":{"a":{"$":"x"}}}`, "filter.data.a.$"},
		{`{"data":{"ticket":{"priority":{"$gte":true}}}}`, "filter.data.ticket.priority.$gte"},
		{`{"data":{"a":{"$lt":null}}}`, "filter.data.a.$lt"},
		{`{"data":{"a":{"$gt":[1]}}}`, "filter.data.a.$gt"},
		{`{"data":{"a":{"$in":1}}}`, "filter.data.a.$in"},
		{`{"data":{"a":{"$in":[]}}}`, "filter.data.a.$in"},
		{`{"data":{"a":{"$nin":[1,[2]]}}}`, "filter.data.a.$nin[1]"},
		{`{"data":{"a":{"$in":[{"b":1}]}}}`, "filter.data.a.$in[0]"},
		{`{"data":{"a":{"$in":[` + list(maxIn+1, `1`) + `]}}}`, "filter.data.a.$in"},
		{`{"data":{"a":{"$exist":1}}}`, "filter.data.a.$exist"},
		{`{"data":{"a":{"$startsWith":1}}}`, "filter.data.a.$startsWith"},
		{`{"data":{"a":{"$endsWith":["x"]}}}`, "filter.data.a.$endsWith"},
		{`{"data":{"a":{"$regex":1}}}`, "filter.data.a.$regex"},
		{`{"data":{"a":{"$regex":"("}}}`, "filter.data.a.$regex"},
		{`{"data":{"a":{"$regex":"(?=x)"}}}`, "filter.data.a.$regex"},
		{`{"data":{"a":{"$regex":"` + strings.Repeat("a", maxRegex+1) + `"}}}`, "filter.data.a.$regex"},
		{`{"data":{"a":{"$regex":"(.{10}){60}"}}}`, "filter.data.a.$regex"},
		{`{"data":{"$or":[{"a":{"$regex":"a{240}"}},{"a":{"$regex":"a{240}"}},{"a":{"$regex":"a{240}"}}]}}`, "filter.data.$or[2].a.$regex"},
		{`{"data":{"a":{"$or":[]}}}`, "filter.data.a.$or"},
		{`{"$and":{"data":1}}`, "filter.$and"},
		{`{"$or":[1]}`, "filter.$or[0]"},
		{`{"$not":[]}`, "filter.$not"},
		{`{"$not":{}}`, "filter.$not"},
		{`{"data":{"$or":[{"a":1},{"b":{"$gt":true}}]}}`, "filter.data.$or[1].b.$gt"},
		{`{"data":{"a":{"$not":{"$lt":true}}}}`, "filter.data.a.$not.$lt"},
		{`{"data":{"a":1e9999999999}}`, "filter.data.a"},
		{`{"data":{"a":{"$eq":{"b":[1e-9999999999]}}}}`, "filter.data.a.$eq"},
		{`{"metadata":"x"}`, "filter.metadata"},
		{`{"metadata":{}}`, "filter.metadata"},
		{`{"metadata":{"$exist":true}}`, "filter.metadata.$exist"},
		{`{"metadata":{"topic":"x"}}`, "filter.metadata.topic"},
		{`{"metadata":{"type":5}}`, "filter.metadata.type"},
		{`{"metadata":{"type":{"$gt":5}}}`, "filter.metadata.type.$gt"},
		{`{"metadata":{"type":{"$in":["a",null]}}}`, "filter.metadata.type.$in[1]"},
		{`{"metadata":{"type":{"a":"x"}}}`, "filter.metadata.type.a"},
		{`{"metadata":{"type":["a"]}}`, "filter.metadata.type"},
		{`{"metadata":{"occurred_at":"yesterday"}}`, "filter.metadata.occurred_at"},
		{`{"metadata":{"occurred_at":{"$gt":1700000000}}}`, "filter.metadata.occurred_at.$gt"},
	} {
		f, err := Parse([]byte(test.document))
		if e, ok := errors.AsType[*switchboard.Error](err); !ok || e.Code != switchboard.CodeInvalid || e.Field != test.field || e.Message == "" || !f.IsZero() {
			t.Errorf("%.80s: %v; want %s to be invalid", test.document, err, test.field)
		}
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		``:      ``,
		`null`:  ``,
		`{ }`:   ``,
		" {}\n": ``,
		` {"metadata":{"type":"a"}, "data" : {"b": 1.50, "a": "<x>"} } `: `{"metadata":{"type":"a"},"data":{"b":1.50,"a":"<x>"}}`,
	} {
		f := mustParse(t, given)
		if got := f.Document(); string(got) != want || (got == nil) != f.IsZero() {
			t.Errorf("%s: %s; want %s", given, got, want)
		}
		if again := mustParse(t, want).Document(); string(again) != want {
			t.Errorf("%s read again: %s", want, again)
		}
	}
}

func TestInputDecodesOnce(t *testing.T) {
	t.Parallel()
	e := eventOf(`{"a":1}`)
	in := NewInput(e)
	if !mustParse(t, `{"data":{"a":1}}`).Verdict(in, NewBudget()).Delivers() {
		t.Error("does not match")
	}
	e.Data = []byte(`{"a":2}`)
	if !mustParse(t, `{"data":{"a":{"$lt":2}}}`).Verdict(in, NewBudget()).Delivers() {
		t.Error("the second filter decoded the event again")
	}
	if !(Filter{}).Verdict(in, NewBudget()).Delivers() {
		t.Error("the zero filter takes every event")
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", maxShown)
	const data = `{"ticket":{"channel":"sms","priority":"3","tags":["a","b"],"items":[{"sku":"a","n":1},{"sku":"b","n":2}],"empty":[]},"long":"%s"}`
	for filter, want := range map[string][]Finding{
		`{"data":{"ticket":{"channel":"sms"}},"metadata":{"type":{"$startsWith":"call."}}}`: {
			{"filter.data.ticket.channel", "data.ticket.channel", "$eq", `"sms"`, `"sms"`, true, `data.ticket.channel is "sms"; it must be "sms"`, false},
			{"filter.metadata.type.$startsWith", "metadata.type", "$startsWith", `"call."`, `"ticket.created"`, false, `metadata.type is "ticket.created"; it must start with "call."`, false},
		},
		`{"data":{"ticket":{"priority":{"$gte":3},"gone":{"$exist":true}}}}`: {
			{"filter.data.ticket.priority.$gte", "data.ticket.priority", "$gte", `3`, `"3"`, false, `data.ticket.priority is "3"; it must be at least 3 (a text is not compared with a number)`, false},
			{"filter.data.ticket.gone.$exist", "data.ticket.gone", "$exist", `true`, ``, false, `data.ticket.gone does not exist; it must exist`, false},
		},
		`{"data":{"ticket":{"tags":{"$nin":["b"]}}}}`: {
			{"filter.data.ticket.tags.$nin", "data.ticket.tags", "$nin", `["b"]`, `["a","b"]`, false, `data.ticket.tags is ["a","b"]; it and all of its elements must be none of ["b"]`, false},
		},
		`{"$or":[{"data":{"ticket":{"tags":"c"}}},{"$not":{"metadata":{"key":"1"}}}]}`: {
			{"filter.$or", "", "$or", ``, ``, true, `1 of 2 alternatives hold; one must`, false},
			{"filter.$or[0].data.ticket.tags", "data.ticket.tags", "$eq", `"c"`, `["a","b"]`, false, `data.ticket.tags is ["a","b"]; it or one of its elements must be "c"`, false},
			{"filter.$or[1].$not", "", "$not", ``, ``, true, `the conditions in it do not hold, as it asks`, false},
			{"filter.$or[1].$not.metadata.key", "metadata.key", "$eq", `"1"`, ``, false, `metadata.key does not exist; it must be "1"`, false},
		},
		`{"data":{"ticket":{"items":{"sku":"b","n":{"$ne":2}}}}}`: {
			{"filter.data.ticket.items", "data.ticket.items", "", ``, `[{"n":1,"sku":"a"},{"n":2,"sku":"b"}]`, false, `data.ticket.items is a list of 2, none of which fulfils all conditions; element 0 comes closest`, false},
			{"filter.data.ticket.items.sku", "data.ticket.items[0].sku", "$eq", `"b"`, `"a"`, false, `data.ticket.items[0].sku is "a"; it must be "b"`, false},
			{"filter.data.ticket.items.n.$ne", "data.ticket.items[0].n", "$ne", `2`, `1`, true, `data.ticket.items[0].n is 1; it must not be 2`, false},
		},
		`{"data":{"ticket":{"items":{"sku":"b"},"empty":{"x":{"$exist":false}}}}}`: {
			{"filter.data.ticket.items", "data.ticket.items", "", ``, `[{"n":1,"sku":"a"},{"n":2,"sku":"b"}]`, true, `data.ticket.items is a list, whose element 1 fulfils the conditions`, false},
			{"filter.data.ticket.items.sku", "data.ticket.items[1].sku", "$eq", `"b"`, `"b"`, true, `data.ticket.items[1].sku is "b"; it must be "b"`, false},
			{"filter.data.ticket.empty", "data.ticket.empty", "", ``, `[]`, false, `data.ticket.empty is an empty list: no element fulfils the conditions`, false},
		},
		`{"data":{"long":{"$endsWith":"<&>"}}}`: {
			{"filter.data.long.$endsWith", "data.long", "$endsWith", `"<&>"`, `"` + strings.Repeat("é", 99) + "…", false, `data.long is "` + strings.Repeat("é", 99) + `…; it must end with "<&>"`, false},
		},
		`{"metadata":{"occurred_at":{"$lt":"2026-03-01T12:00:00Z"}}}`: {
			{"filter.metadata.occurred_at.$lt", "metadata.occurred_at", "$lt", `"2026-03-01T12:00:00Z"`, `"2026-03-01T12:00:00.5Z"`, false, `metadata.occurred_at is "2026-03-01T12:00:00.5Z"; it must be less than "2026-03-01T12:00:00Z"`, false},
		},
		`{}`: nil,
	} {
		if diff := cmp.Diff(want, mustParse(t, filter).Explain(eventOf(fmt.Sprintf(data, long)))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", filter, diff)
		}
	}
}

// An explanation searches a list once for each condition, at any depth, and writes no more of it
// than it shows. This example took minutes.
func TestExplainIsBounded(t *testing.T) {
	t.Parallel()
	conditions := strings.TrimSuffix(strings.Repeat(`{"data":{"a":{"x":1}}},{"data":{"a":{"$gt":5}}},`, 50), ",")
	filter, err := Parse([]byte(`{"$or":[` + conditions + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	const depth = 100
	event := &switchboard.Event{Data: []byte(`{"a":` + strings.Repeat("[", depth) + strings.Repeat("1,", 50_000) + "1" + strings.Repeat("]", depth) + `}`)}
	began := time.Now()
	findings := filter.Explain(event)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("took %s", took)
	}
	if len(findings) != 101 || len(findings[1].Found) > maxShown+len("…") || findings[1].Holds {
		t.Errorf("%d findings, the first condition's %+v", len(findings), findings[min(1, len(findings)-1)])
	}
}

// Of a long value, the beginning of its JSON is shown.
func TestShown(t *testing.T) {
	t.Parallel()
	wide := map[string]any{}
	for i := range 1000 {
		wide[fmt.Sprint("name", i*7919%1000)] = i
	}
	values := map[string]any{
		"wide": wide, "text": strings.Repeat("é", 300), "odd text": "x" + strings.Repeat("é", 300), "escapes": strings.Repeat("\"", 300),
		"list": decode([]byte("[" + strings.Repeat(`[1,{"a":null}],`, 99) + "0]")), "number": json.Number(strings.Repeat("1", 300)),
		"object": decode([]byte(`{"b":{"` + strings.Repeat("n", 300) + `":1},"a":[true]}`)), "short": "é", "nothing": nil,
		"empty": decode([]byte(`[[],{}]`)), "nested": decode([]byte(strings.Repeat("[", 250) + strings.Repeat("]", 250))),
	}
	for name, v := range values {
		if got, want := show(v), switchboard.Clip(encode(v), maxShown); got != want {
			t.Errorf("%s: %s; want %s", name, got, want)
		}
	}
}

// Lists in the objects of lists are searched for the closest element as long as the budget lasts.
// The answer is complete.
func TestExplainOfNestedListsIsBounded(t *testing.T) { // not parallel: it counts allocations
	name := strings.Repeat("é", 1000)
	conditions := strings.TrimSuffix(strings.Repeat(`{"x":1},`, maxConditions-1), ",")
	filter := mustParse(t, `{"data":{"`+name+`":{"b":{"c":{"$and":[`+conditions+`],"y":1}}}}}`)
	list := func(element string) string { return `[` + strings.Repeat(element+",", maxCompared-1) + element + `]` }
	event := eventOf(`{"` + name + `":` + list(`{"b":`+list(`{"c":`+list(`{"x":2}`)+`}`)+`}`) + `}`)
	var findings []Finding
	allocations := testing.AllocsPerRun(1, func() { findings = filter.Explain(event) })
	if most := 50.0 * explainBudget / findingCost; allocations > most {
		t.Errorf("%.0f allocations; want %.0f at most, some for each finding that is paid for", allocations, most)
	}
	if len(findings) != 3+maxConditions {
		t.Errorf("%d findings; want the three lists and every condition", len(findings))
	}
	for _, f := range findings {
		if longest := maxLocation + len("…"); len(f.Condition) > longest || len(f.Path) > longest || len(f.Text) > 2*longest+maxShown || !utf8.ValidString(f.Text) {
			t.Fatalf("%d bytes of condition, %d of path, %d of text", len(f.Condition), len(f.Path), len(f.Text))
		}
	}
	if last := findings[len(findings)-1]; !strings.HasPrefix(last.Path, "data.é") || !strings.HasSuffix(last.Path, "é[0].b[0].c[0].y") || !strings.HasSuffix(last.Condition, "é.b.c.y") {
		t.Errorf("the last condition is %s at %s", last.Condition, last.Path)
	}
}

// The type of an event is a name, whose case does not matter to any operator. All other texts are
// compared exactly.
func TestMatchTypeInAnyCase(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		filter string
		want   bool
	}{
		{`{"metadata":{"type":"ticket.created"}}`, true},
		{`{"metadata":{"type":"TICKET.CREATED"}}`, true},
		{`{"metadata":{"type":"Ticket.Created"}}`, true},
		{`{"metadata":{"type":{"$eq":"ticket.created"}}}`, true},
		{`{"metadata":{"type":{"$ne":"ticket.created"}}}`, false},
		{`{"metadata":{"type":{"$ne":"ticket.resolved"}}}`, true},
		{`{"metadata":{"type":{"$in":["call.rang","ticket.CREATED"]}}}`, true},
		{`{"metadata":{"type":{"$nin":["ticket.CREATED"]}}}`, false},
		{`{"metadata":{"type":{"$startsWith":"TICKET."}}}`, true},
		{`{"metadata":{"type":{"$startsWith":"CALL."}}}`, false},
		{`{"metadata":{"type":{"$endsWith":".Created"}}}`, true},
		{`{"metadata":{"type":{"$regex":"^ticket\\.(CREATED|resolved)$"}}}`, true},
		{`{"metadata":{"type":{"$regex":"call|TICKET"}}}`, true},
		{`{"metadata":{"type":{"$regex":"(?-i)^ticket"}}}`, false}, // a filter can request an exact case
		{`{"metadata":{"type":{"$regex":"(?-i)^Ticket"}}}`, true},
		{`{"metadata":{"type":{"$gte":"TICKET","$lt":"TICKEU"}}}`, true},
		{`{"metadata":{"$not":{"type":"ticket.created"}}}`, false},
		{`{"$or":[{"metadata":{"type":"ticket.created"}}]}`, true},
		{`{"metadata":{"tenant":"ACME"}}`, false},
		{`{"metadata":{"id":"EVT_1"}}`, false},
		{`{"data":{"type":"TICKET"}}`, false},
		{`{"data":{"type":"Ticket"}}`, true},
	} {
		e := eventOf(`{"type":"Ticket"}`)
		e.Type = "Ticket.Created"
		if got := mustParse(t, test.filter).Match(e); got != test.want {
			t.Errorf("%s: %t; want %t", test.filter, got, test.want)
		}
	}
}
