package rest

import "github.com/seed-49a43567/switchboard"

// actorHeader names the person who uses a shared key.
const actorHeader = "Switchboard-Actor"

// personOf returns the person who acts, or "" if the header is missing. Nobody verifies it.
func personOf(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", switchboard.InvalidField(actorHeader, "is given twice")
	}
	return values[0], switchboard.CheckPerson(actorHeader, values[0])
}
