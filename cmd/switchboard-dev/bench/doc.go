// Package bench measures Switchboard on the embedded stack: throughput, its CPU cost in
// every process, latency at a steady pace, and the memory of ten thousand deliveries in
// backoff.
//
// It also measures a floor: bare Temporal with the same worker settings and a workflow of
// one local activity that does nothing. A machine's speed drifts, so rounds alternate, and
// each round of Switchboard is compared with the floor's rounds before and after it.
//
// A round lasts until the engine is idle again: everything is delivered, Temporal lists as
// many closed workflows as were started and has dropped the timers of their first tasks
// 10 s after the start, and its server and Postgres are at rest. All CPU until then counts,
// and nothing is subtracted. Shorter measurements favour designs that only postpone work
// to the next round.
//
// The kernel's accounts distinguish the processes: the Temporal server and the bare worker
// are this program started again with a hidden command, and Switchboard is the production
// binary. The receiver, the poster and the queries about the drain run in the measuring
// process itself, and their CPU counts too.
package bench
