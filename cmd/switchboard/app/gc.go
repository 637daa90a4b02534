package app

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage may accumulate before a collection, in percent of live memory.
// Measured: with 200 instead of Go's default of 100, a delivery took 0.1 ms less CPU, and a process
// with 10,000 deliveries in backoff took 30 MiB more memory.
const gcPercent = 200

// SetGC sets how often this process collects garbage, unless its environment sets GOGC.
func SetGC() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
