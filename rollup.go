package switchboard

import "time"

// RollupResult is the result of a pass of the workflow RollUp.
type RollupResult struct {
	From    time.Time `json:"from"`     // attempts from this time
	To      time.Time `json:"to"`       // to this time were counted by the minute
	Hours   int       `json:"hours"`    // counted for the last time
	Forgot  int64     `json:"forgot"`   // rows whose time is over
	MoreDue bool      `json:"more_due"` // more hours are over: the next pass counts them
}

// WorkerFacts are what a worker reports of itself with its heartbeat.
type WorkerFacts struct {
	Version        string
	Slots          int
	SlotsTaken     int
	SlowSlots      int
	SlowSlotsTaken int
}
