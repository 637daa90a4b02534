-- +goose Up

-- What the five platforms ask of a subscription.
ALTER TABLE subscriptions
    ADD COLUMN profile            text   NOT NULL DEFAULT '',   -- the platform whose profile it was made from
    ADD COLUMN use_case           text   NOT NULL DEFAULT '',   -- which data its templates may read
    ADD COLUMN patterns           text[] NOT NULL DEFAULT '{}', -- events in lower case: their case does not matter
    ADD COLUMN filter             text   NOT NULL DEFAULT '',   -- JSON as it was written; empty: takes all
    ADD COLUMN shape              text   NOT NULL DEFAULT '{}', -- the rest of the request, as the API shows it
    ADD COLUMN signature_header   text   NOT NULL DEFAULT '',
    ADD COLUMN signature_prefix   text   NOT NULL DEFAULT '',
    ADD COLUMN verification       text   NOT NULL DEFAULT 'none',
    ADD COLUMN adaptive           text   NOT NULL DEFAULT '{}', -- how limits follow the load, as the API shows it
    ADD COLUMN private_key_id     text   NOT NULL DEFAULT '',   -- which key of SWITCHBOARD_ENCRYPTION_KEY; empty: nothing private
    ADD COLUMN private_ciphertext bytea  NOT NULL DEFAULT '',   -- params, SOAP and authentication as JSON: they may hold credentials
    DROP CONSTRAINT subscriptions_state_check,
    ADD CONSTRAINT subscriptions_state_check CHECK (state IN ('active', 'paused', 'disabled', 'unverified'));

UPDATE subscriptions SET patterns = ARRAY(SELECT lower(pattern) FROM unnest(events) AS pattern);

-- Somebody waits for the receiver's first answer: recording it is announced.
ALTER TABLE deliveries ADD COLUMN response_awaited boolean NOT NULL DEFAULT false;

-- The limits that were applied, and the load of the worker that applied them.
ALTER TABLE attempts
    ADD COLUMN load         real NOT NULL DEFAULT 0,  -- share of the worker's places that were taken
    ADD COLUMN max_attempts int  NOT NULL DEFAULT 0,  -- of the run; 0: older than this column
    ADD COLUMN interval_factor      real NOT NULL DEFAULT 1;  -- factor of the wait before the next attempt

-- Event types that were added to the catalogue, or changed, while it runs.
CREATE TABLE event_types (
    platform   text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    document   text        NOT NULL,  -- the whole type as JSON
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (platform, name)
);

-- +goose Down
DROP TABLE event_types;
ALTER TABLE attempts DROP COLUMN load, DROP COLUMN max_attempts, DROP COLUMN interval_factor;
ALTER TABLE deliveries DROP COLUMN response_awaited;
UPDATE subscriptions SET state = 'paused', state_reason = 'unverified' WHERE state = 'unverified';
ALTER TABLE subscriptions
    DROP COLUMN profile, DROP COLUMN use_case, DROP COLUMN patterns, DROP COLUMN filter, DROP COLUMN shape,
    DROP COLUMN signature_header, DROP COLUMN signature_prefix, DROP COLUMN verification, DROP COLUMN adaptive,
    DROP COLUMN private_key_id, DROP COLUMN private_ciphertext,
    DROP CONSTRAINT subscriptions_state_check,
    ADD CONSTRAINT subscriptions_state_check CHECK (state IN ('active', 'paused', 'disabled'));
