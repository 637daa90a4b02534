-- +goose Up

-- What people search for begins so. Only a change of the subscription writes these.
CREATE INDEX subscriptions_lower_name ON subscriptions ((lower(name) COLLATE "C"), tenant) WHERE deleted_at IS NULL;
CREATE INDEX subscriptions_host ON subscriptions ((lower(substring(url FROM '^[^:]*://([^/?#]*)')) COLLATE "C"), tenant) WHERE deleted_at IS NULL;

-- +goose Down
DROP INDEX subscriptions_host, subscriptions_lower_name;
