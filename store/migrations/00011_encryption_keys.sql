-- +goose Up

-- A known text, encrypted with each key of SWITCHBOARD_ENCRYPTION_KEY that was ever used:
-- a process whose key has the same id and other bytes finds out before it encrypts with it.
CREATE TABLE encryption_keys (
    id          text        PRIMARY KEY,
    check_value bytea       NOT NULL,
    created_at  timestamptz NOT NULL
);

-- +goose Down
DROP TABLE encryption_keys;
