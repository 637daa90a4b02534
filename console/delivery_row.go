package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// deliveryRow is one line of a list of deliveries.
type deliveryRow struct {
	ID, EventType, Tenant, Host string
	State                       switchboard.State
	Why                         string // in a few words; empty if the state says everything
	Next                        string // what follows, in words; empty: NextAt says it
	NextAt                      *time.Time
	Attempts                    int
	Accepted                    time.Time
	Tick                        bool // it can be selected
}

func deliveryRows(deliveries []client.Delivery) []deliveryRow {
	rows := make([]deliveryRow, len(deliveries))
	for i := range deliveries {
		d := &deliveries[i]
		rows[i] = deliveryRow{
			ID: d.ID, EventType: d.EventType, Tenant: d.Tenant, Host: d.Host, State: d.State, Why: reasonWords(d.Reason), Next: nextWords(d),
			Attempts: d.AttemptsMade, Accepted: d.CreatedAt,
		}
		if d.State.HasNextAttempt() {
			rows[i].NextAt = d.NextAttemptAt
		}
	}
	return rows
}

// reasonWords writes a reason of the API in words: http_503 is "503 service unavailable".
func reasonWords(reason string) string {
	if code, isCode := strings.CutPrefix(reason, "http_"); isCode {
		if n, err := strconv.Atoi(code); err == nil {
			return strings.TrimSpace(code + " " + strings.ToLower(http.StatusText(n)))
		}
	}
	word, detail, found := strings.Cut(reason, ":")
	word = strings.ReplaceAll(word, "_", " ")
	if found {
		return word + ":" + detail
	}
	return word
}

// nextWords says what follows for a delivery without a date of its next attempt.
func nextWords(d *client.Delivery) string {
	switch {
	case d.State.HasNextAttempt():
		return ""
	case d.State.Parked():
		return d.ReleasedBy
	case d.State == switchboard.StateFailed:
		return d.Ending
	}
	return "nothing follows"
}
