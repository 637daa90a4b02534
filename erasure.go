package switchboard

import "time"

// ErasurePrefix begins the ids of erasures.
const ErasurePrefix = "era_"

// ErasureScope is how much an erasure erases.
type ErasureScope string

// The scopes of an erasure.
const (
	// ErasureTenant erases everything of a tenant: keys, subscriptions with their secrets, events,
	// deliveries with their attempts and actions. Rows that are made later stay.
	ErasureTenant ErasureScope = "tenant"
	// ErasureEvent erases the content of one event: its data and key, the requests of its attempts
	// and the responses. The rows stay, with the time of the erasure.
	ErasureEvent ErasureScope = "event"
)

// Erasure is one erasure. It stays, because it is also the audit record.
type Erasure struct {
	ID          string       `json:"id" doc:"An id era_…"`
	Scope       ErasureScope `json:"scope" enum:"tenant,event"`
	Tenant      string       `json:"tenant"`
	EventID     string       `json:"event_id,omitempty" doc:"Id of the event; empty after the erasure of its tenant."`
	RequestedAt time.Time    `json:"requested_at"`
	FinishedAt  time.Time    `json:"finished_at,omitzero" doc:"Absent while the erasure runs."`
	Actor       string       `json:"actor" doc:"The API key that asked for it, or cli."`
	Person      string       `json:"person,omitempty" doc:"The person, self-named."`
	Reason      string       `json:"reason,omitempty"`
	Erased      Erased       `json:"erased"`
}

// Finished reports whether everything is erased.
func (e Erasure) Finished() bool { return !e.FinishedAt.IsZero() }

// Erased counts what an erasure has erased so far.
type Erased struct {
	Keys          int `json:"keys"`
	Subscriptions int `json:"subscriptions"`
	Cancelled     int `json:"cancelled" doc:"Deliveries that were open."`
	Deliveries    int `json:"deliveries"`
	Attempts      int `json:"attempts"`
	Events        int `json:"events"`
}

// ErasureProgress is the progress of an erasure after one of its steps.
type ErasureProgress struct {
	Finished bool `json:"finished"`
	// Waiting counts cancelled deliveries whose workflows must end before the rows are deleted. It
	// is 1 while rows from before the erasure may still be stored.
	Waiting int `json:"waiting,omitempty"`
}
