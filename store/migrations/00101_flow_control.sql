-- +goose Up

-- Flow control: what may not be sent now is parked, and released by an operation.

ALTER TABLE subscriptions
    ADD COLUMN state_since       timestamptz,
    ADD COLUMN state_by          text    NOT NULL DEFAULT '',
    -- Counts changes of what decides whether its deliveries may be sent: its state, its deletion,
    -- and its health. A delivery that is accepted as parked is so only if this is still the number
    -- that was read with the reason.
    ADD COLUMN flow              int     NOT NULL DEFAULT 1,
    -- What a new delivery needs of the document.
    ADD COLUMN ordered           boolean NOT NULL DEFAULT false,
    ADD COLUMN supersede         boolean NOT NULL DEFAULT false,
    ADD COLUMN deliver_within_us bigint  NOT NULL DEFAULT 0,  -- 0: no deadline
    ADD COLUMN hold_for_us       bigint  NOT NULL DEFAULT 2592000000000,  -- 30 days
    ADD COLUMN operational       boolean NOT NULL DEFAULT false;  -- it takes Switchboard's own events

UPDATE subscriptions SET state_since = updated_at, operational = EXISTS (SELECT FROM unnest(patterns) AS p WHERE p LIKE 'switchboard.%');
-- No subscription may have more requests under way than this any more.
UPDATE subscriptions SET max_in_flight = 100, document = jsonb_set(document::jsonb, '{max_in_flight}', '100')::json WHERE max_in_flight > 100;
ALTER TABLE subscriptions ALTER COLUMN state_since SET NOT NULL;

CREATE INDEX subscriptions_operational ON subscriptions (tenant) WHERE operational AND deleted_at IS NULL;

-- The health of an endpoint: a row only for what is unhealthy.
CREATE TABLE subscription_health (
    subscription_id     text COLLATE "C" PRIMARY KEY REFERENCES subscriptions ON DELETE CASCADE,
    breaker             text        NOT NULL DEFAULT 'closed' CHECK (breaker IN ('closed', 'open', 'half_open')),
    breaker_since       timestamptz,
    breaker_reason      text        NOT NULL DEFAULT '',
    failing_since       timestamptz,           -- the first failure after the last success
    probe_at            timestamptz,
    probe_interval_us   bigint      NOT NULL DEFAULT 0,
    probe_delivery_id   text COLLATE "C" NOT NULL DEFAULT '',
    deferred_until      timestamptz,           -- the receiver asked to send nothing before
    queue_reason        text        NOT NULL DEFAULT '',  -- why deliveries wait in order; what is accepted waits behind them
    slow                boolean     NOT NULL DEFAULT false,
    -- What the breaker counts.
    window_at           timestamptz NOT NULL,
    attempts            int         NOT NULL DEFAULT 0,
    failures            int         NOT NULL DEFAULT 0,
    previous_attempts   int         NOT NULL DEFAULT 0,
    previous_failures   int         NOT NULL DEFAULT 0,
    failures_in_a_row   int         NOT NULL DEFAULT 0,
    last_failure_reason text        NOT NULL DEFAULT '',
    updated_at          timestamptz NOT NULL,
    CONSTRAINT open_has_since CHECK ((breaker = 'closed') = (breaker_since IS NULL)),
    CONSTRAINT open_has_probe CHECK (breaker <> 'open' OR probe_at IS NOT NULL)
);

-- When the next request of a subscription with a rate limit may be made, at its full rate.
CREATE TABLE subscription_rates (
    subscription_id text COLLATE "C" PRIMARY KEY REFERENCES subscriptions ON DELETE CASCADE,
    allowed_at      timestamptz NOT NULL
);

CREATE INDEX subscription_health_queued ON subscription_health (subscription_id) WHERE queue_reason <> '';

-- The workers that live. They divide each max_in_flight by how many they are.
CREATE TABLE workers (
    id        text        PRIMARY KEY,
    joined_at timestamptz NOT NULL,
    seen_at   timestamptz NOT NULL,  -- the last heartbeat
    counted   int         NOT NULL   -- the workers that it reckons with: a new one waits for the others
);

-- The keys of subscriptions that order by key, while a delivery of theirs is open: the last one,
-- and the position that it has. Whoever accepts or ends one locks the row, so that each waits for
-- the one before.
CREATE TABLE ordering_keys (
    subscription_id text COLLATE "C" NOT NULL REFERENCES subscriptions ON DELETE CASCADE,
    key             text COLLATE "C" NOT NULL,
    last_delivery   text COLLATE "C" NOT NULL DEFAULT '',
    last_position   bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (subscription_id, key)
);

ALTER TABLE deliveries
    ADD COLUMN parked_at  timestamptz,
    ADD COLUMN held_until timestamptz,                     -- when the hold ends by itself, and the delivery fails
    ADD COLUMN blocked_by text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN expires_at timestamptz,                     -- it fails unless it is delivered by then; null: never
    ADD COLUMN key        text    NOT NULL DEFAULT '',     -- the event's, where its subscription orders or supersedes by key
    ADD COLUMN ordered    boolean NOT NULL DEFAULT false,  -- it waits for earlier deliveries of its key
    ADD COLUMN position   bigint  NOT NULL DEFAULT 0;      -- among those: the least is sent first

-- Nothing was blocked by another delivery before: whatever stands so waits for an operator.
UPDATE deliveries SET state = 'held', reason = 'operator' WHERE state = 'blocked';
UPDATE deliveries SET parked_at = created_at, held_until = now() + interval '30 days' WHERE state = 'held';

ALTER TABLE deliveries
    ADD CONSTRAINT parked_has_end CHECK ((state IN ('held', 'blocked')) = (held_until IS NOT NULL) AND (held_until IS NULL) = (parked_at IS NULL)),
    ADD CONSTRAINT blocked_has_blocker CHECK ((state = 'blocked') = (blocked_by <> '')),
    DROP CONSTRAINT only_dated_or_cancelled_is_dispatched,
    -- The workflow of one that an operator holds is woken, so that it ends.
    ADD CONSTRAINT only_open_or_cancelled_is_dispatched CHECK (dispatch_at IS NULL OR state IN ('pending', 'retrying', 'held', 'cancelled'));

CREATE INDEX deliveries_parked ON deliveries (state, reason, parked_at) WHERE held_until IS NOT NULL;
CREATE INDEX deliveries_held_until ON deliveries (held_until) WHERE held_until IS NOT NULL;
CREATE INDEX deliveries_blocked_by ON deliveries (blocked_by) WHERE blocked_by <> '';
CREATE INDEX deliveries_key ON deliveries (subscription_id, key, position) WHERE key <> '' AND completed_at IS NULL;

-- An action on many deliveries of a subscription: the workflow of the same id works on it.
CREATE TABLE operations (
    id              text COLLATE "C" PRIMARY KEY,
    tenant          text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    action          text        NOT NULL CHECK (action IN ('release', 'cancel')),
    state           text        NOT NULL CHECK (state IN ('running', 'finished', 'cancelled')),
    rate            float8      NOT NULL CHECK (rate >= 0),  -- deliveries a second; 0: as fast as it goes
    reason          text        NOT NULL,
    actor           text        NOT NULL CHECK (actor <> ''),
    person          text        NOT NULL DEFAULT '',
    total           int         NOT NULL,
    done            int         NOT NULL DEFAULT 0,
    skipped         int         NOT NULL DEFAULT 0,
    after_id        text COLLATE "C" NOT NULL DEFAULT '',  -- the last delivery that a step has looked at
    next_at         timestamptz NOT NULL,                  -- when the next delivery is dispatched, at the rate
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    CONSTRAINT finished_has_date CHECK ((state = 'running') = (finished_at IS NULL))
);

CREATE UNIQUE INDEX operations_running ON operations (subscription_id, action) WHERE state = 'running';
CREATE INDEX operations_tenant ON operations (tenant, id);
CREATE INDEX operations_subscription ON operations (subscription_id, id);

-- What the version before had not released or cancelled yet.
INSERT INTO operations (id, tenant, subscription_id, action, state, rate, reason, actor, total, next_at, created_at, updated_at)
SELECT 'op_0' || substr(md5(s.id), 1, 25), s.tenant, s.id, 'release', 'running', 50, 'what they were held for is over', 'switchboard', 0, now(), now(), now()
FROM subscriptions s WHERE s.state = 'active' AND s.deleted_at IS NULL AND EXISTS (SELECT FROM deliveries d WHERE d.subscription_id = s.id AND d.state = 'held' AND d.reason <> 'operator')
UNION ALL
SELECT 'op_0' || substr(md5(s.id), 1, 25), s.tenant, s.id, 'cancel', 'running', 0, 'the subscription is deleted', 'switchboard', 0, now(), now(), now()
FROM subscriptions s WHERE s.deleted_at IS NOT NULL AND EXISTS (SELECT FROM deliveries d WHERE d.subscription_id = s.id AND d.completed_at IS NULL);

-- +goose Down
DROP TABLE operations, ordering_keys, workers, subscription_rates, subscription_health;
DROP INDEX deliveries_key, deliveries_blocked_by, deliveries_held_until, deliveries_parked;
ALTER TABLE deliveries
    DROP CONSTRAINT only_open_or_cancelled_is_dispatched, DROP CONSTRAINT blocked_has_blocker, DROP CONSTRAINT parked_has_end,
    DROP COLUMN position, DROP COLUMN ordered, DROP COLUMN key, DROP COLUMN expires_at, DROP COLUMN blocked_by, DROP COLUMN held_until, DROP COLUMN parked_at;
ALTER TABLE deliveries ADD CONSTRAINT only_dated_or_cancelled_is_dispatched CHECK (dispatch_at IS NULL OR state IN ('pending', 'retrying', 'cancelled')) NOT VALID;
ALTER TABLE subscriptions
    DROP COLUMN operational, DROP COLUMN hold_for_us, DROP COLUMN deliver_within_us, DROP COLUMN supersede, DROP COLUMN ordered, DROP COLUMN flow, DROP COLUMN state_by, DROP COLUMN state_since;
