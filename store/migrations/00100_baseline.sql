-- +goose Up

-- The whole schema. Numbers below 100 were those of pre-releases.
--
-- Times are UTC. Ids sort by time, except an event's that the platform chose.
-- COLLATE "C": ids compare by bytes, which is what their order means.

CREATE TABLE subscriptions (
    id                 text COLLATE "C" PRIMARY KEY,
    tenant             text COLLATE "C" NOT NULL CHECK (tenant <> ''),
    name               text        NOT NULL CHECK (name <> ''),
    state              text        NOT NULL CHECK (state IN ('active', 'paused', 'disabled', 'unverified')),
    state_reason       text        NOT NULL DEFAULT '',
    events             text[]      NOT NULL,  -- types and patterns: 'ticket.created', 'ticket.*', '*'
    patterns           text[]      NOT NULL DEFAULT '{}',  -- events in lower case: their case does not matter
    filter             text        NOT NULL DEFAULT '',  -- JSON as it was written; empty: every event
    method             text        NOT NULL,
    url                text        NOT NULL,  -- without its query, which is private
    max_in_flight      int         NOT NULL CHECK (max_in_flight > 0),
    -- What was given, as the API shows it, without what is encrypted below. Defaults are not in
    -- it, and json keeps it as it was written.
    document           json        NOT NULL CHECK (json_typeof(document) = 'object'),
    version            int         NOT NULL CHECK (version > 0),  -- counts changes
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    deleted_at         timestamptz,           -- deleted ones stay, because deliveries name them
    headers_key_id     text        NOT NULL,  -- which key of SWITCHBOARD_ENCRYPTION_KEY
    headers_ciphertext bytea       NOT NULL,  -- all request headers as JSON: they may hold credentials
    private_key_id     text        NOT NULL DEFAULT '',  -- which key of SWITCHBOARD_ENCRYPTION_KEY; empty: nothing private
    private_ciphertext bytea       NOT NULL DEFAULT ''  -- the URL's query, params, SOAP and authentication as JSON: they may hold credentials
);

-- Two subscriptions of a tenant never share a name, so that a name says which.
CREATE UNIQUE INDEX subscriptions_name ON subscriptions (tenant, name) WHERE deleted_at IS NULL;

-- Signing secrets. After a rotation the previous one stays valid until expires_at.
CREATE TABLE subscription_secrets (
    id              text COLLATE "C" PRIMARY KEY,
    subscription_id text COLLATE "C" NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz,          -- null: the current one
    key_id          text        NOT NULL, -- which key of SWITCHBOARD_ENCRYPTION_KEY
    ciphertext      bytea       NOT NULL
);

CREATE INDEX subscription_secrets_subscription ON subscription_secrets (subscription_id);
CREATE UNIQUE INDEX subscription_secrets_current ON subscription_secrets (subscription_id) WHERE expires_at IS NULL;

-- The event ids that platforms chose, for as long as the idempotency window: an event that
-- comes again with its id is a duplicate. Ids that Switchboard made are not listed.
CREATE TABLE event_ids (
    name       uuid        PRIMARY KEY,  -- first half of SHA-256 of tenant, NUL, id
    created_at timestamptz NOT NULL,     -- the event's: with the id it finds the row
    content    bytea       NOT NULL      -- first half of SHA-256 of type, key and data; empty: the event was erased
);

CREATE INDEX event_ids_created ON event_ids USING brin (created_at) WITH (pages_per_range = 16, autosummarize = on);

-- Events, deliveries, attempts and actions are partitioned at the same midnights (UTC):
-- events by their time, and what belongs to a delivery by the delivery's id, whose first
-- letters are its time. There are no foreign keys between them, because with keys no
-- partition could be dropped, and no DEFAULT partition: the ends are open instead, so that
-- no insert ever fails. The store makes the partitions: see partition.go.

CREATE TABLE events (
    id          text COLLATE "C" NOT NULL CHECK (id <> ''),  -- ours, or the platform's own
    tenant      text COLLATE "C" NOT NULL CHECK (tenant <> ''),
    type        text        NOT NULL CHECK (type <> ''),
    key         text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,  -- when it was accepted
    occurred_at timestamptz NOT NULL,  -- when it happened at the platform
    erased_at   timestamptz,           -- when its data were erased; null: they were not
    -- The bytes as received, never jsonb: that would reorder them, and they are signed.
    data        bytea       NOT NULL,
    PRIMARY KEY (created_at, id, tenant)
) PARTITION BY RANGE (created_at);

CREATE INDEX events_id ON events (id);
CREATE INDEX events_tenant ON events (tenant, created_at, id);
CREATE INDEX events_key ON events (key, created_at, id) WHERE key <> '';

-- A delivery is one event for one subscription. The workflow of the same id in Temporal
-- works on it; this row is its state.
CREATE TABLE deliveries (
    id               text COLLATE "C" NOT NULL,
    tenant           text COLLATE "C" NOT NULL,
    state            text        NOT NULL,
    reason           text        NOT NULL DEFAULT '',
    permanent        boolean     NOT NULL DEFAULT false,  -- no later attempt can succeed; a failed one without it has used up its attempts
    attempts_made    int         NOT NULL DEFAULT 0,
    next_attempt_at  timestamptz,
    last_status_code int         NOT NULL DEFAULT 0,   -- 0: none, or no answer
    last_failure     text        NOT NULL DEFAULT '',
    event_type       text        NOT NULL,
    host             text        NOT NULL,
    method           text        NOT NULL,
    created_at       timestamptz NOT NULL,
    completed_at     timestamptz,
    event_id         text COLLATE "C" NOT NULL,
    event_at         timestamptz,                      -- created_at of its event; null: the delivery's own
    subscription_id  text COLLATE "C" NOT NULL,
    generation       int         NOT NULL DEFAULT 1,   -- how often the delivery was started
    prior_attempts   int         NOT NULL DEFAULT 0,   -- attempts of earlier generations
    temporal_run_id  text        NOT NULL DEFAULT '',  -- the latest run in Temporal that recorded something
    -- The outbox: when the relay starts the workflow, or wakes that of a cancelled delivery
    -- so that it ends; null: it was dispatched.
    dispatch_at      timestamptz,
    response_awaited boolean     NOT NULL DEFAULT false,  -- a caller waits for the receiver's first response: recording it is announced
    PRIMARY KEY (id),

    CONSTRAINT known_state CHECK (state IN ('pending', 'retrying', 'held', 'blocked', 'delivered', 'failed', 'cancelled')),
    -- No undated state: final, or dated, or with a reason.
    CONSTRAINT final_has_completed_at CHECK ((state IN ('delivered', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    CONSTRAINT dated_has_next_attempt_at CHECK ((state IN ('pending', 'retrying')) = (next_attempt_at IS NOT NULL)),
    CONSTRAINT stopped_has_reason CHECK (state NOT IN ('held', 'blocked', 'failed', 'cancelled') OR reason <> ''),
    CONSTRAINT retrying_was_attempted CHECK (state <> 'retrying' OR attempts_made > 0),
    CONSTRAINT only_dated_or_cancelled_is_dispatched CHECK (dispatch_at IS NULL OR state IN ('pending', 'retrying', 'cancelled')),
    CONSTRAINT counts CHECK (generation > 0 AND prior_attempts >= 0 AND attempts_made >= prior_attempts)
) PARTITION BY RANGE (id);

-- Every change of state writes into each index that covers the row, so the few that are
-- full serve lists, and those of the lists by state leave out what is pending or
-- delivered: a healthy delivery never writes them.
CREATE INDEX deliveries_tenant ON deliveries (tenant, id);
CREATE INDEX deliveries_subscription ON deliveries (subscription_id, id);
CREATE INDEX deliveries_event ON deliveries (event_id) WHERE event_at IS NOT NULL;
CREATE INDEX deliveries_state ON deliveries (state, id) WHERE state NOT IN ('pending', 'delivered');
CREATE INDEX deliveries_tenant_state ON deliveries (tenant, state, id) WHERE state NOT IN ('pending', 'delivered');
-- Whoever asks for a host without a port means each.
CREATE INDEX deliveries_host_state ON deliveries ((regexp_replace(host, ':[0-9]+$', '')), state, id) WHERE state NOT IN ('pending', 'delivered');
CREATE INDEX deliveries_last_failure ON deliveries (last_failure, id) WHERE last_failure <> '';
CREATE INDEX deliveries_next_attempt ON deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_dispatch ON deliveries (dispatch_at) WHERE dispatch_at IS NOT NULL;
CREATE INDEX deliveries_open ON deliveries (subscription_id, id) WHERE completed_at IS NULL;
CREATE INDEX deliveries_held ON deliveries (subscription_id, id) WHERE state = 'held';

-- One HTTP request of a delivery.
CREATE TABLE attempts (
    id                 text COLLATE "C" NOT NULL,
    delivery_id        text COLLATE "C" NOT NULL,
    number             int         NOT NULL CHECK (number > 0),      -- over the whole life of the delivery
    generation         int         NOT NULL CHECK (generation > 0),  -- of the delivery, that it was made for
    at                 timestamptz NOT NULL,                         -- when it began
    status_code        int         NOT NULL,
    failure            text        NOT NULL,
    permanent          boolean     NOT NULL DEFAULT false,           -- no later attempt can succeed
    detail             text        NOT NULL,
    latency_us         bigint      NOT NULL,
    timeout_us         bigint      NOT NULL,
    retry_after_us     bigint      NOT NULL,
    -- How often it sent its request: 0 if it could not, more than 1 where a kept connection
    -- broke, an HTTP/2 receiver turned the request down, or a token was renewed.
    requests           smallint    NOT NULL DEFAULT 1,
    method             text        NOT NULL,
    url                text        NOT NULL,
    request_headers    jsonb       NOT NULL,  -- sensitive values masked
    request_bytes      int         NOT NULL,
    response_headers   jsonb       NOT NULL,  -- sensitive values masked
    response_truncated boolean     NOT NULL,
    response_body      bytea       NOT NULL,  -- its head
    -- The limits that were applied, and the load of the worker that applied them.
    load               real        NOT NULL DEFAULT 0,  -- share of the worker's slots that were in use
    max_attempts       int         NOT NULL DEFAULT 0,  -- of the generation
    interval_factor    real        NOT NULL DEFAULT 1,  -- factor of the wait before the next attempt
    PRIMARY KEY (delivery_id, number)
) PARTITION BY RANGE (delivery_id);

-- What an operator did to a delivery, or did through Temporal itself.
CREATE TABLE actions (
    id          text COLLATE "C" NOT NULL,
    delivery_id text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL CHECK (actor <> ''),
    person      text        NOT NULL DEFAULT '',  -- who acted with a key that many share, as they named themselves
    action      text        NOT NULL CHECK (action <> ''),
    reason      text        NOT NULL,
    PRIMARY KEY (delivery_id, id)
) PARTITION BY RANGE (delivery_id);

-- The spans of time that the four tables have a partition for: events_<suffix> and so on.
CREATE TABLE partitions (
    suffix text        PRIMARY KEY,
    lo     timestamptz,           -- where it begins; null: before everything
    hi     timestamptz,           -- where it ends; null: never
    stage  text        NOT NULL,  -- what was done to it last
    at     timestamptz NOT NULL   -- when
);

CREATE TABLE events_tail     PARTITION OF events     FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
CREATE TABLE deliveries_tail PARTITION OF deliveries FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
CREATE TABLE attempts_tail   PARTITION OF attempts   FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
CREATE TABLE actions_tail    PARTITION OF actions    FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
ALTER TABLE events_tail ALTER COLUMN data SET STATISTICS 0;
ALTER TABLE attempts_tail ALTER COLUMN request_headers SET STATISTICS 0, ALTER COLUMN response_headers SET STATISTICS 0, ALTER COLUMN response_body SET STATISTICS 0;
ALTER TABLE deliveries_tail SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
INSERT INTO partitions (suffix, stage, at) VALUES ('tail', 'open', now());

-- The time before which payloads are erased: what is older cannot be retried. The one row
-- is locked FOR SHARE by whoever reopens a delivery.
CREATE TABLE retention (
    one             boolean     PRIMARY KEY DEFAULT true CHECK (one),
    payloads_until  timestamptz NOT NULL,
    last_success_at timestamptz          -- when the workflow Retain last did all of its steps
);
INSERT INTO retention (payloads_until) VALUES ('1970-01-01 00:00:00+00');

-- Erasures of a tenant, or of the content of one event. They are the audit record as well,
-- and stay.
CREATE TABLE erasures (
    id            text COLLATE "C" PRIMARY KEY,
    scope         text        NOT NULL CHECK (scope IN ('tenant', 'event')),
    tenant        text COLLATE "C" NOT NULL CHECK (tenant <> ''),
    event_id      text COLLATE "C" NOT NULL,  -- empty: all of the tenant, or the tenant was erased later
    event_at      timestamptz,                -- created_at of the event
    requested_at  timestamptz NOT NULL,
    cut_off_at    timestamptz,                -- what a tenant makes later is not erased; null: it is not cut off yet
    finished_at   timestamptz,                -- null: it is under way
    actor         text        NOT NULL CHECK (actor <> ''),
    person        text        NOT NULL,
    reason        text        NOT NULL,
    -- How much was erased so far.
    keys          int         NOT NULL DEFAULT 0,
    subscriptions int         NOT NULL DEFAULT 0,
    cancelled     int         NOT NULL DEFAULT 0,
    deliveries    int         NOT NULL DEFAULT 0,
    attempts      int         NOT NULL DEFAULT 0,
    events        int         NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX erasures_running ON erasures (tenant, event_id) WHERE finished_at IS NULL;
CREATE INDEX erasures_tenant ON erasures (tenant, id);

-- API keys. The key itself is known to its holder only.
CREATE TABLE keys (
    id         text COLLATE "C" PRIMARY KEY,
    name       text        NOT NULL,
    role       text        NOT NULL CHECK (role IN ('admin', 'publisher', 'integrator', 'support', 'viewer')),
    tenant     text COLLATE "C" NOT NULL,  -- empty: every tenant
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    hash       bytea       NOT NULL UNIQUE CHECK (length(hash) = 32)  -- SHA-256 of the key
);

-- A known text, encrypted with each key of SWITCHBOARD_ENCRYPTION_KEY that was ever used:
-- a process whose key has the same id and other bytes finds out before it encrypts with it.
CREATE TABLE encryption_keys (
    id          text        PRIMARY KEY,
    check_value bytea       NOT NULL,
    created_at  timestamptz NOT NULL
);

-- Event types that were added to the catalogue, or changed, while it runs.
CREATE TABLE event_types (
    platform   text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,  -- in lower case; the document has it as it was written
    document   text        NOT NULL,       -- the whole type as JSON
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (platform, name),
    CONSTRAINT name_in_lower_case CHECK (name = lower(name))
);

-- Requests that came with an Idempotency-Key, and how they were answered. An answer may
-- hold a secret that is shown once, so it is encrypted, and a row does not outlive its
-- expires_at by much.
CREATE TABLE idempotency_keys (
    name         bytea       PRIMARY KEY CHECK (length(name) = 32),     -- SHA-256 of the API key's id and the Idempotency-Key
    request      bytea       NOT NULL    CHECK (length(request) = 32),  -- SHA-256 of what was asked
    created_at   timestamptz NOT NULL,  -- when the key came first
    expires_at   timestamptz NOT NULL,
    locked_until timestamptz NOT NULL,  -- a process works on it until then
    status       int,                   -- of the answer; null: there is none yet
    key_id       text        NOT NULL DEFAULT '',  -- which key of SWITCHBOARD_ENCRYPTION_KEY
    ciphertext   bytea       NOT NULL DEFAULT '',  -- the answer's body
    tenants      text[]      NOT NULL DEFAULT '{}', -- that the answer names: it goes with their erasure
    CONSTRAINT answer_is_encrypted CHECK ((status IS NULL) = (key_id = ''))
);

CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);
ALTER TABLE idempotency_keys ALTER COLUMN ciphertext SET STATISTICS 0; -- nobody searches in it

-- +goose Down
DROP TABLE idempotency_keys, event_types, encryption_keys, keys, erasures, retention, partitions, actions, attempts, deliveries, events, event_ids,
    subscription_secrets, subscriptions;
