// Package faults causes faults in a whole Switchboard under load, and counts what happened to
// every accepted event.
//
// Two `switchboard api` and two `switchboard worker`, of the production binary, run with their
// own Postgres and Temporal server. A supervisor restarts each process a second after it ended,
// as systemd and Kubernetes do. Three TCP proxies of ours are between Switchboard and Postgres,
// Switchboard and Temporal, and Temporal and Postgres. They hang, delay or refuse when a fault
// requires it.
//
// Each fault lasts for a limited time, while events are posted at a steady rate. Each event is
// posted to either API, again with the same id until one has answered 202, as a platform would
// do. A fault is over when its cause is. The suite then measures how long it takes until events
// flow again, and until everything that was accepted has arrived. Then `switchboard verify`
// looks for broken promises.
package faults
