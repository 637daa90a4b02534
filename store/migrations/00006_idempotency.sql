-- +goose Up

-- Requests that came with an Idempotency-Key, and what they were answered. An answer may
-- hold a secret that is shown once, so it is encrypted, and a row does not outlive its
-- expires_at by much.
CREATE TABLE idempotency_keys (
    name         bytea       PRIMARY KEY CHECK (length(name) = 32),     -- SHA-256 of the API key's id and the Idempotency-Key
    request      bytea       NOT NULL    CHECK (length(request) = 32),  -- SHA-256 of what was asked
    created_at   timestamptz NOT NULL,  -- when the key came first
    expires_at   timestamptz NOT NULL,
    locked_until timestamptz NOT NULL,  -- somebody works on it until then
    status       int,                   -- of the answer; null: there is none yet
    key_id       text        NOT NULL DEFAULT '',  -- which key of SWITCHBOARD_ENCRYPTION_KEY
    ciphertext   bytea       NOT NULL DEFAULT '',  -- the answer's body
    CONSTRAINT answer_is_encrypted CHECK ((status IS NULL) = (key_id = ''))
);

CREATE INDEX idempotency_keys_expires ON idempotency_keys (expires_at);

-- Bodies are looked for by nobody: see 00004.
ALTER TABLE idempotency_keys ALTER COLUMN ciphertext SET STATISTICS 0;

-- The person who acted with a key that many share, as they named themselves.
ALTER TABLE actions ADD COLUMN person text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE actions DROP COLUMN person;
DROP TABLE idempotency_keys;
