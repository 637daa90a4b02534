-- +goose Up

-- Attempts counted by time, for charts and for what fails now. The workflow RollUp counts; nothing
-- that sends a delivery writes here.

-- Attempts are found by the time of their delivery's id. Those that are late for it, as retries and
-- what was held, have an index by their own time, which a healthy delivery does not write.
ALTER TABLE attempts ADD COLUMN late boolean NOT NULL DEFAULT false;  -- at is LateAfter or more away from the id's time
ALTER TABLE attempts ALTER COLUMN late SET DEFAULT true;  -- a process of the version before does not say: all of its are looked up there
CREATE INDEX attempts_late ON attempts (at) WHERE late;

-- An attempt is counted in the first column ms_… whose milliseconds its latency does not exceed.
CREATE TABLE traffic_minute (
    at          timestamptz NOT NULL,  -- when the minute begins
    failure     text        NOT NULL,
    status_code int         NOT NULL,
    attempts    int         NOT NULL,
    ms_10 int NOT NULL, ms_25 int NOT NULL, ms_50 int NOT NULL, ms_100 int NOT NULL, ms_250 int NOT NULL, ms_500 int NOT NULL,
    ms_1000 int NOT NULL, ms_2500 int NOT NULL, ms_5000 int NOT NULL, ms_10000 int NOT NULL, ms_30000 int NOT NULL, ms_more int NOT NULL,
    PRIMARY KEY (at, failure, status_code)
);

CREATE TABLE traffic_hour (LIKE traffic_minute INCLUDING ALL);

CREATE TABLE traffic_subscription (
    at              timestamptz NOT NULL,  -- when the hour begins
    tenant          text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    host            text        NOT NULL,
    failure         text        NOT NULL,
    status_code     int         NOT NULL,
    attempts        int         NOT NULL,
    ms_10 int NOT NULL, ms_25 int NOT NULL, ms_50 int NOT NULL, ms_100 int NOT NULL, ms_250 int NOT NULL, ms_500 int NOT NULL,
    ms_1000 int NOT NULL, ms_2500 int NOT NULL, ms_5000 int NOT NULL, ms_10000 int NOT NULL, ms_30000 int NOT NULL, ms_more int NOT NULL,
    PRIMARY KEY (at, subscription_id, host, failure, status_code)
);

CREATE INDEX traffic_subscription_tenant ON traffic_subscription (tenant, subscription_id, at);

-- How far the attempts are counted. Whoever counts locks the one row.
CREATE TABLE rollup (
    one              boolean     PRIMARY KEY DEFAULT true CHECK (one),
    minutes_to       timestamptz NOT NULL,  -- in traffic_minute; a minute before may have been incomplete
    subscriptions_to timestamptz NOT NULL,  -- in traffic_subscription: what is later is added to it
    hours_to         timestamptz NOT NULL   -- every hour before is counted for the last time
);

-- What people want to know of the workers.
ALTER TABLE workers
    ADD COLUMN version           text NOT NULL DEFAULT '',
    ADD COLUMN slots             int  NOT NULL DEFAULT 0,
    ADD COLUMN slots_taken       int  NOT NULL DEFAULT 0,
    ADD COLUMN slow_slots        int  NOT NULL DEFAULT 0,  -- for slow endpoints
    ADD COLUMN slow_slots_taken  int  NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE workers DROP COLUMN slow_slots_taken, DROP COLUMN slow_slots, DROP COLUMN slots_taken, DROP COLUMN slots, DROP COLUMN version;
DROP TABLE rollup, traffic_subscription, traffic_hour, traffic_minute;
DROP INDEX attempts_late;
ALTER TABLE attempts DROP COLUMN late;
