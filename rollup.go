package switchboard

import "time"

// RollupResult says what a pass of the workflow RollUp has counted.
type RollupResult struct {
	From    time.Time `json:"from"`     // attempts from then
	To      time.Time `json:"to"`       // to then were counted by the minute
	Hours   int       `json:"hours"`    // that were counted for the last time
	Forgot  int64     `json:"forgot"`   // rows whose time is over
	MoreDue bool      `json:"more_due"` // more hours are over: the next pass counts them
}

// WorkerFacts are what a worker says of itself with its heartbeat.
type WorkerFacts struct {
	Version        string
	Slots          int
	SlotsTaken     int
	SlowSlots      int
	SlowSlotsTaken int
}
