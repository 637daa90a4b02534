-- +goose Up

-- A delivery that is a copy of another, and what its request has in place of the subscription's.
CREATE TABLE resends (
    delivery_id text COLLATE "C" PRIMARY KEY,
    original_id text COLLATE "C" NOT NULL,
    tenant      text COLLATE "C" NOT NULL,
    created_at  timestamptz NOT NULL,
    changed     text[]      NOT NULL,             -- of url, headers, body, timeout
    key_id      text        NOT NULL DEFAULT '',  -- of the encryption key
    ciphertext  bytea       NOT NULL DEFAULT ''   -- the overrides, encrypted; empty: there are none, or they are erased
);

CREATE INDEX resends_original ON resends (original_id, delivery_id);
CREATE INDEX resends_payload ON resends (delivery_id) WHERE ciphertext <> '';

-- +goose Down
DROP TABLE resends;
