-- +goose Up

-- What is still open, or held, of a subscription: it may be very many beside very many
-- that are done. Whoever writes waits while an index is built, which took half a second
-- for a million rows.
CREATE INDEX deliveries_open ON deliveries (subscription_id, id) WHERE completed_at IS NULL;
CREATE INDEX deliveries_held ON deliveries (subscription_id, id) WHERE state = 'held';

-- The events of one key. It comes before the tenant, because a support engineer may know
-- the key only.
CREATE INDEX events_key ON events (key, tenant, created_at, id) WHERE key <> '';

-- +goose Down
DROP INDEX events_key, deliveries_held, deliveries_open;
