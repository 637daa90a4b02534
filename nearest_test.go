package switchboard

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"id", "ticket", "ticket.created", "object.activity_added", "Object"}
	for name, want := range map[string]string{
		"Ticket":                            "ticket",
		"tickt":                             "ticket",
		"tikcet":                            "ticket",
		"ticket.cretaed":                    "ticket.created",
		"objekt.activity_added":             "object.activity_added",
		"Objekt":                            "Object",
		"ID":                                "id",
		"if":                                "id",
		"xy":                                "",
		"customer":                          "",
		"ticket.resolved":                   "",
		"":                                  "",
		strings.Repeat("x", MaxEventType+1): "",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%q: %q; want %q", name, got, want)
		}
	}
}
