-- +goose Up

-- What an attempt sent, so that it can be proved later.

ALTER TABLE attempts
    ADD COLUMN request_sha256       bytea NOT NULL DEFAULT '',  -- of the body; empty: not known, or erased
    ADD COLUMN subscription_version int   NOT NULL DEFAULT 0,   -- that the request was made from; 0: not known
    ADD COLUMN remote_ip            text  NOT NULL DEFAULT '';  -- the address that was dialled; empty: none, or the egress proxy

-- +goose Down
ALTER TABLE attempts DROP COLUMN remote_ip, DROP COLUMN subscription_version, DROP COLUMN request_sha256;
