package faults

import "context"

// fault is something that goes wrong for a time.
type fault struct {
	name string
	what string // for people
	// inflict causes the fault, and returns when it is over.
	inflict func(context.Context, *run) error
	// tenant is the tenant of the hostile receiver, for a fault about one; empty: none.
	tenant string
}

// faults are all faults, in the order in which they are caused.
func faults() []fault {
	return []fault{
		{name: "kill-api", what: "kill -9 of each API in turn", inflict: killAPIs},
		{name: "kill-worker", what: "kill -9 of each worker in turn", inflict: killWorkers},
		{name: "kill-temporal", what: "kill -9 of Temporal", inflict: killTemporal},
		{name: "kill-postgres", what: "kill -9 of Postgres, which Switchboard and Temporal share", inflict: killPostgres},
		{name: "rolling-restart", what: "each process of Switchboard is stopped in order and started again, one after the other", inflict: restartEach},
		{name: "zombie", what: "an API and a worker are frozen until everything that they had leased is somebody else's, and go on", inflict: zombie},
		{name: "postgres-stopped", what: "Postgres is stopped in order", inflict: stopPostgres},
		{name: "backends-killed", what: "every second pg_terminate_backend ends every connection to Postgres", inflict: killBackends},
		{name: "postgres-hangs", what: "Postgres takes connections and answers nothing", inflict: hangPostgres},
		{name: "postgres-slow", what: "Postgres answers 200 ms later", inflict: slowPostgres},
		{name: "disk-full", what: "Postgres can write nothing, as its disk is full", inflict: fillDisk},
		{name: "temporal-away", what: "Switchboard's connections to Temporal are reset", inflict: cutTemporal},
		{name: "temporal-frozen", what: "Temporal takes connections and answers nothing", inflict: freezeTemporal},
		{name: "temporal-slow", what: "Temporal answers 400 ms later", inflict: slowTemporal},
		{name: "restored-switchboard", what: "Switchboard's database is restored from a dump of some seconds ago, and has a new namespace", inflict: restoreSwitchboard},
		{name: "restored-temporal", what: "Temporal's databases are restored from a dump of some seconds ago", inflict: restoreTemporal},
		{name: "restored-both", what: "all databases are restored from a dump of some seconds ago", inflict: restoreBoth},
		{name: "hostile-http1", what: "a receiver answers with what is no HTTP, headers, bodies and 100s without end, resets, silence", inflict: beHostile(tenantHTTP1), tenant: tenantHTTP1},
		{name: "hostile-tls", what: "a receiver shows wrong certificates, and breaks or hangs in the handshake", inflict: beHostile(tenantTLS), tenant: tenantTLS},
		{name: "hostile-http2", what: "a receiver sends GOAWAY, RST_STREAM, floods of frames and half headers over HTTP/2", inflict: beHostile(tenantHTTP2), tenant: tenantHTTP2},
	}
}
