-- +goose Up

-- Who may read payloads, and when a key was used last. Keys that exist may read them as before;
-- a process of the version before makes keys that may not.
ALTER TABLE keys
    ADD COLUMN read_payload boolean NOT NULL DEFAULT true,
    ADD COLUMN last_used_at timestamptz;  -- to the minute; null: it was not used
ALTER TABLE keys ALTER COLUMN read_payload SET DEFAULT false;

-- +goose Down
ALTER TABLE keys DROP COLUMN last_used_at, DROP COLUMN read_payload;
