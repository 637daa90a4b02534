-- +goose Up

-- What is held, but for what an operator holds. Turns, probes and releases look for the oldest of it; by
-- deliveries_held they would read all that an operator holds before that, which may be millions.
CREATE INDEX deliveries_releasable ON deliveries (subscription_id, id) WHERE state = 'held' AND reason <> 'operator';

-- +goose Down
DROP INDEX deliveries_releasable;
