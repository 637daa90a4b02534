-- +goose Up

-- Operations of people: about the deliveries that a filter finds, or a replay of events.

ALTER TABLE operations
    ADD COLUMN filter   json,           -- null: Switchboard's own, about all of the subscription
    -- What was accepted later has a greater id, and is not touched.
    ADD COLUMN bound_id text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN failed   int              NOT NULL DEFAULT 0,
    ADD COLUMN after_at timestamptz,    -- of a replay: created_at of the event after_id
    ADD COLUMN wake_at  timestamptz,    -- when the next workflow of those that it cancels or holds is woken, so that it ends
    DROP CONSTRAINT operations_action_check,
    DROP CONSTRAINT operations_state_check,
    DROP CONSTRAINT finished_has_date,
    ADD CONSTRAINT operations_action_check CHECK (action IN ('retry', 'cancel', 'hold', 'release', 'replay')),
    ADD CONSTRAINT operations_state_check CHECK (state IN ('running', 'paused', 'finished', 'cancelled')),
    ADD CONSTRAINT finished_has_date CHECK ((state IN ('running', 'paused')) = (finished_at IS NULL)),
    ADD CONSTRAINT filter_has_bound CHECK ((filter IS NULL) = (bound_id = ''));

-- Of Switchboard's own one runs for a subscription and an action; people's may be several.
DROP INDEX operations_running;
CREATE UNIQUE INDEX operations_running ON operations (subscription_id, action) WHERE state IN ('running', 'paused') AND filter IS NULL;

-- What an operation of somebody did to each delivery, or to each event of a replay.
CREATE TABLE operation_items (
    operation_id text COLLATE "C" NOT NULL REFERENCES operations ON DELETE CASCADE,
    delivery_id  text COLLATE "C" NOT NULL,             -- of a replay: the one that it made; empty: it made none
    event_id     text COLLATE "C" NOT NULL DEFAULT '',  -- of a replay
    outcome      text NOT NULL CHECK (outcome IN ('done', 'skipped', 'failed')),
    why          text NOT NULL DEFAULT '',
    PRIMARY KEY (operation_id, delivery_id, event_id)
);

CREATE INDEX operation_items_outcome ON operation_items (operation_id, outcome, delivery_id, event_id);

-- +goose Down
DROP TABLE operation_items;
DELETE FROM operations WHERE filter IS NOT NULL;
UPDATE operations SET state = 'running' WHERE state = 'paused';
DROP INDEX operations_running;
CREATE UNIQUE INDEX operations_running ON operations (subscription_id, action) WHERE state = 'running';
ALTER TABLE operations
    DROP CONSTRAINT filter_has_bound, DROP CONSTRAINT finished_has_date, DROP CONSTRAINT operations_state_check, DROP CONSTRAINT operations_action_check,
    DROP COLUMN wake_at, DROP COLUMN after_at, DROP COLUMN failed, DROP COLUMN bound_id, DROP COLUMN filter;
ALTER TABLE operations
    ADD CONSTRAINT operations_action_check CHECK (action IN ('release', 'cancel')),
    ADD CONSTRAINT operations_state_check CHECK (state IN ('running', 'finished', 'cancelled')),
    ADD CONSTRAINT finished_has_date CHECK ((state = 'running') = (finished_at IS NULL));
