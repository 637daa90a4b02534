package rest

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
)

// actorHeader names the person who uses a key that many share.
const actorHeader = "Switchboard-Actor"

const maxActor = 128

// personOf reads who acts; empty: the header is missing. It is not verified.
func personOf(values []string) (string, error) {
	if len(values) == 0 {
		return "", nil
	}
	switch person := values[0]; {
	case len(values) > 1:
		return "", switchboard.InvalidField(actorHeader, "is given twice")
	case strings.TrimSpace(person) == "":
		return "", switchboard.InvalidField(actorHeader, "is empty: name who acts, or leave it out")
	case !utf8.ValidString(person) || strings.ContainsFunc(person, unicode.IsControl):
		return "", switchboard.InvalidField(actorHeader, "must be UTF-8 without control characters")
	case switchboard.LongerThan(person, maxActor):
		return "", switchboard.InvalidField(actorHeader, "is longer than %d characters", maxActor)
	default:
		return person, nil
	}
}
