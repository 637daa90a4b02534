// Package bench measures Switchboard on the embedded stack: what it does a second,
// what that costs in CPU of every process, how late it is at a steady pace, and
// what memory ten thousand deliveries in backoff take.
//
// Beside it runs the floor: bare Temporal with the same worker settings and a
// workflow of one local activity that does nothing. A machine's speed drifts, so
// rounds alternate, and each of Switchboard is compared with the floor's before and
// after it.
//
// A round lasts until the engine is idle again: everything is delivered, Temporal
// lists as many closed workflows as were started, has dropped the timers of their
// first tasks 10 s after the start, and its server and Postgres have come to rest.
// All CPU until then counts, and nothing is subtracted. Shorter measurements flatter
// whatever only postpones work, and leave it to the round that follows.
//
// Processes are told apart by the kernel's accounts: the Temporal server and the
// bare worker are this program started again with a hidden command, Switchboard is
// the production binary. The receiver, the poster and the questions about the drain
// run in the measuring process itself, and their CPU counts too.
package bench
