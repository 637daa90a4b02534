-- +goose Up

-- Times are UTC. Ids sort by time, except an event's that the platform chose.
-- COLLATE "C": ids compare by bytes, which is what their order means.

CREATE TABLE subscriptions (
    id                 text COLLATE "C" PRIMARY KEY,
    tenant             text COLLATE "C" NOT NULL CHECK (tenant <> ''),
    name               text        NOT NULL CHECK (name <> ''),
    state              text        NOT NULL CHECK (state IN ('active', 'paused', 'disabled')),
    state_reason       text        NOT NULL DEFAULT '',
    events             text[]      NOT NULL,  -- types and patterns: 'ticket.created', 'ticket.*', '*'
    method             text        NOT NULL,
    url                text        NOT NULL,
    body               text        NOT NULL,
    content_type       text        NOT NULL,
    signature_scheme   text        NOT NULL,
    retry              jsonb       NOT NULL,  -- the policy as the API shows it
    timeout            text        NOT NULL,  -- of one attempt, as '10s'
    max_in_flight      int         NOT NULL CHECK (max_in_flight > 0),
    version            int         NOT NULL CHECK (version > 0),  -- counts changes
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    deleted_at         timestamptz,           -- deleted ones stay, because deliveries name them
    headers_key_id     text        NOT NULL,  -- which key of SWITCHBOARD_ENCRYPTION_KEY
    headers_ciphertext bytea       NOT NULL   -- all request headers as JSON: they may hold credentials
);

-- Two subscriptions of a tenant never share a name, so that a name says which.
CREATE UNIQUE INDEX subscriptions_name ON subscriptions (tenant, name) WHERE deleted_at IS NULL;

-- Signing secrets. After a rotation the one before stays valid until expires_at.
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

CREATE TABLE events (
    id          text COLLATE "C" NOT NULL CHECK (id <> ''),  -- ours, or the platform's own
    tenant      text COLLATE "C" NOT NULL CHECK (tenant <> ''),
    type        text        NOT NULL CHECK (type <> ''),
    key         text        NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,  -- when it was accepted
    occurred_at timestamptz NOT NULL,  -- when it happened at the platform
    -- The bytes as received, never jsonb: that would reorder them, and they are signed.
    data        bytea       NOT NULL,
    PRIMARY KEY (id, tenant)
);

CREATE INDEX events_tenant ON events (tenant, created_at, id);
CREATE INDEX events_created ON events (created_at, id);

-- What one event owes one subscription. The workflow of the same id in Temporal
-- works on it; this row says where it stands.
CREATE TABLE deliveries (
    id               text COLLATE "C" PRIMARY KEY,
    tenant           text COLLATE "C" NOT NULL,
    state            text        NOT NULL,
    reason           text        NOT NULL DEFAULT '',
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
    subscription_id  text COLLATE "C" NOT NULL REFERENCES subscriptions,
    generation       int         NOT NULL DEFAULT 1,   -- how often it was set going
    prior_attempts   int         NOT NULL DEFAULT 0,   -- attempts of earlier runs
    temporal_run_id  text        NOT NULL DEFAULT '',  -- the latest run in Temporal that recorded something
    -- The outbox: when a relay is to start the workflow, if nobody else did before. null: it is started.
    dispatch_at      timestamptz,

    UNIQUE (event_id, tenant, subscription_id),
    FOREIGN KEY (event_id, tenant) REFERENCES events ON DELETE CASCADE,

    CONSTRAINT known_state CHECK (state IN ('pending', 'retrying', 'held', 'blocked', 'delivered', 'failed', 'cancelled')),
    -- No undated state: final, or dated, or with a reason.
    CONSTRAINT final_has_completed_at CHECK ((state IN ('delivered', 'failed', 'cancelled')) = (completed_at IS NOT NULL)),
    CONSTRAINT dated_has_next_attempt_at CHECK ((state IN ('pending', 'retrying')) = (next_attempt_at IS NOT NULL)),
    CONSTRAINT stopped_has_reason CHECK (state NOT IN ('held', 'blocked', 'failed', 'cancelled') OR reason <> ''),
    CONSTRAINT retrying_was_attempted CHECK (state <> 'retrying' OR attempts_made > 0),
    CONSTRAINT only_dated_is_started CHECK (dispatch_at IS NULL OR state IN ('pending', 'retrying')),
    CONSTRAINT counts CHECK (generation > 0 AND prior_attempts >= 0 AND attempts_made >= prior_attempts)
);

-- Every change of state writes into each index that covers the row, so the few
-- that are full serve lists, and the rest cover only what is not delivered.
CREATE INDEX deliveries_tenant ON deliveries (tenant, id);
CREATE INDEX deliveries_subscription ON deliveries (subscription_id, id);
CREATE INDEX deliveries_not_delivered ON deliveries (state, id) WHERE state <> 'delivered';
CREATE INDEX deliveries_last_failure ON deliveries (last_failure, id) WHERE last_failure <> '';
CREATE INDEX deliveries_next_attempt ON deliveries (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX deliveries_start_due ON deliveries (dispatch_at) WHERE dispatch_at IS NOT NULL;

-- Deliveries change about three times within seconds and then never again: vacuum
-- early, or the two outbox indexes fill with what is long done.
ALTER TABLE deliveries SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- One HTTP request of a delivery.
CREATE TABLE attempts (
    id                 text COLLATE "C" PRIMARY KEY,
    delivery_id        text COLLATE "C" NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    number             int         NOT NULL CHECK (number > 0),  -- over the whole life of the delivery
    generation         int         NOT NULL CHECK (generation > 0),     -- of the delivery, that it was made for
    at                 timestamptz NOT NULL,                     -- when it began
    status_code        int         NOT NULL,
    failure            text        NOT NULL,
    detail             text        NOT NULL,
    latency_us         bigint      NOT NULL,
    timeout_us         bigint      NOT NULL,
    retry_after_us     bigint      NOT NULL,
    method             text        NOT NULL,
    url                text        NOT NULL,
    request_headers    jsonb       NOT NULL,  -- sensitive values masked
    request_bytes      int         NOT NULL,
    response_headers   jsonb       NOT NULL,  -- sensitive values masked
    response_truncated boolean     NOT NULL,
    response_body      bytea       NOT NULL,  -- its head
    UNIQUE (delivery_id, number)
);

-- What an operator did to a delivery, or did through Temporal itself.
CREATE TABLE actions (
    id          text COLLATE "C" PRIMARY KEY,
    delivery_id text COLLATE "C" NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    actor       text        NOT NULL CHECK (actor <> ''),
    action      text        NOT NULL CHECK (action <> ''),
    reason      text        NOT NULL
);

CREATE INDEX actions_delivery ON actions (delivery_id, id);

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

-- +goose Down
DROP TABLE keys, actions, attempts, deliveries, events, subscription_secrets, subscriptions;
