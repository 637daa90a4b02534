package rest

import "github.com/seed-49a43567/switchboard"

// actorHeader names the person who uses a key that many share.
const actorHeader = "Switchboard-Actor"

// personOf reads who acts; empty: the header is missing. It is not verified.
func personOf(values []string) (string, error) {
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", switchboard.InvalidField(actorHeader, "is given twice")
	}
	return values[0], switchboard.CheckPerson(actorHeader, values[0])
}
