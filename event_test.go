package switchboard

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestEventValidate(t *testing.T) {
	t.Parallel()
	const limit = 100
	valid := func() Event {
		return Event{ID: "evt_1", Tenant: "acme", Type: "ticket.created", Key: "ticket 1", Data: []byte(`{"a":1}`)}
	}
	good := map[string]func(*Event){
		"as it is":      func(*Event) {},
		"no id, no key": func(e *Event) { e.ID, e.Key = "", "" },
		"longest fields": func(e *Event) {
			e.ID, e.Tenant, e.Type = strings.Repeat("a", MaxEventID), strings.Repeat("a", MaxTenant), strings.Repeat("a", MaxEventType)
		},
		"longest key":     func(e *Event) { e.Key = strings.Repeat("k", MaxEventKey) },
		"any JSON value":  func(e *Event) { e.Data = []byte(" null\n") },
		"data at limit":   func(e *Event) { e.Data = []byte(`"` + strings.Repeat("x", limit-2) + `"`) },
		"odd names":       func(e *Event) { e.Tenant, e.Type, e.ID = "a.b:c@d-e_f", "A-1_b.c", "0" },
		"key in any text": func(e *Event) { e.Key = "ключ/1 \n" },
		"first second":    func(e *Event) { e.OccurredAt = time.Date(0, 12, 31, 23, 0, 1, 0, time.FixedZone("", -3600)) },
		"last second":     func(e *Event) { e.OccurredAt = time.Date(10000, 1, 1, 0, 59, 59, 0, time.FixedZone("", 3600)) },
	}
	for name, change := range good {
		e := valid()
		change(&e)
		if err := e.Validate(limit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	bad := map[string]struct {
		field  string
		code   Code
		change func(*Event)
	}{
		"no tenant":         {"tenant", CodeInvalid, func(e *Event) { e.Tenant = "" }},
		"tenant too long":   {"tenant", CodeInvalid, func(e *Event) { e.Tenant = strings.Repeat("a", MaxTenant+1) }},
		"tenant with space": {"tenant", CodeInvalid, func(e *Event) { e.Tenant = "a b" }},
		"tenant with end":   {"tenant", CodeInvalid, func(e *Event) { e.Tenant = "acme\n" }},
		"tenant starts odd": {"tenant", CodeInvalid, func(e *Event) { e.Tenant = "-a" }},
		"no type":           {"type", CodeInvalid, func(e *Event) { e.Type = "" }},
		"type too long":     {"type", CodeInvalid, func(e *Event) { e.Type = strings.Repeat("a", MaxEventType+1) }},
		"type with a star":  {"type", CodeInvalid, func(e *Event) { e.Type = "ticket.*" }},
		"empty word":        {"type", CodeInvalid, func(e *Event) { e.Type = "ticket..created" }},
		"final dot":         {"type", CodeInvalid, func(e *Event) { e.Type = "ticket." }},
		"type with end":     {"type", CodeInvalid, func(e *Event) { e.Type = "ticket\n" }},
		"id too long":       {"id", CodeInvalid, func(e *Event) { e.ID = strings.Repeat("a", MaxEventID+1) }},
		"id with slash":     {"id", CodeInvalid, func(e *Event) { e.ID = "a/b" }},
		"key too long":      {"key", CodeInvalid, func(e *Event) { e.Key = strings.Repeat("a", MaxEventKey+1) }},
		"key with NUL":      {"key", CodeInvalid, func(e *Event) { e.Key = "a\x00b" }},
		"key not UTF-8":     {"key", CodeInvalid, func(e *Event) { e.Key = "a\xff" }},
		"no data":           {"data", CodeInvalid, func(e *Event) { e.Data = nil }},
		"year 0 in UTC":     {"occurred_at", CodeInvalid, func(e *Event) { e.OccurredAt = time.Date(1, 1, 1, 0, 0, 0, 0, time.FixedZone("", 3600)) }},
		"year 10000 in UTC": {"occurred_at", CodeInvalid, func(e *Event) { e.OccurredAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -3600)) }},
		"year 10000 stored": {"occurred_at", CodeInvalid, func(e *Event) { e.OccurredAt = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC) }},
		"data too long":     {"data", CodeTooLarge, func(e *Event) { e.Data = []byte(`"` + strings.Repeat("x", limit-1) + `"`) }},
	}
	for name, test := range bad {
		e := valid()
		test.change(&e)
		err := e.Validate(limit)
		if got, ok := errors.AsType[*Error](err); !ok || got.Code != test.code || got.Field != test.field || got.Message == "" {
			t.Errorf("%s: %v; want %s: %s", name, err, test.code, test.field)
		}
	}
}
