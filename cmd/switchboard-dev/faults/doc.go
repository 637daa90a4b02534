// Package faults inflicts faults on a whole Switchboard under load, and counts what became of
// every event that was accepted.
//
// Two `switchboard api` and two `switchboard worker`, of the production binary, run beside a
// Postgres and a Temporal server of their own. A supervisor starts each process again a second
// after it ended, as systemd and Kubernetes do. Three TCP proxies of ours stand between
// Switchboard and Postgres, Switchboard and Temporal, and Temporal and Postgres: they hang,
// delay or refuse where a fault asks for it.
//
// Each fault lasts for a bounded time, while events are posted at a steady rate: to whichever
// API answers, again with the same id until one has answered 202, as a platform would. A fault
// is over when its cause is; from then on it is measured how long it takes until events flow
// again, and until all that was accepted has arrived. Then `switchboard verify` looks for
// broken promises.
package faults
