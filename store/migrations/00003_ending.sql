-- +goose NO TRANSACTION
-- +goose Up

-- The outbox is also for cancelled deliveries: a relay lets their workflow find out
-- that it is over, if it waits. The change itself is a moment, for which nobody is to
-- queue behind a long report: it gives up instead, and can be run again. Checking the
-- rows that are there locks nobody out.
SET lock_timeout = '3s';
ALTER TABLE deliveries
    DROP CONSTRAINT IF EXISTS only_dated_is_started,
    DROP CONSTRAINT IF EXISTS only_dated_or_cancelled_is_dispatched,
    ADD CONSTRAINT only_dated_or_cancelled_is_dispatched CHECK (dispatch_at IS NULL OR state IN ('pending', 'retrying', 'cancelled')) NOT VALID;
ALTER TABLE deliveries VALIDATE CONSTRAINT only_dated_or_cancelled_is_dispatched;
COMMENT ON COLUMN deliveries.dispatch_at IS
    'when a relay is to start the workflow, or to wake that of a cancelled delivery so that it ends; null: Temporal knows';
RESET lock_timeout;

-- +goose Down
SET lock_timeout = '3s';
ALTER TABLE deliveries
    DROP CONSTRAINT IF EXISTS only_dated_or_cancelled_is_dispatched,
    DROP CONSTRAINT IF EXISTS only_dated_is_started,
    ADD CONSTRAINT only_dated_is_started CHECK (dispatch_at IS NULL OR state IN ('pending', 'retrying')) NOT VALID;
UPDATE deliveries SET dispatch_at = NULL WHERE state = 'cancelled' AND dispatch_at IS NOT NULL;
ALTER TABLE deliveries VALIDATE CONSTRAINT only_dated_is_started;
COMMENT ON COLUMN deliveries.dispatch_at IS NULL;
RESET lock_timeout;
