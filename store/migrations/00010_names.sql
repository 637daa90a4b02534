-- +goose Up

-- The names of event types count in any case: "Ticket.Created" and "ticket.created" are
-- one. Of several that were stored the last one counts, as it did in the catalogue.
DELETE FROM event_types older USING event_types newer
WHERE older.platform = newer.platform AND lower(older.name) = lower(newer.name)
    AND (older.updated_at, older.name) < (newer.updated_at, newer.name);
UPDATE event_types SET name = lower(name);
ALTER TABLE event_types ADD CONSTRAINT name_in_lower_case CHECK (name = lower(name));
COMMENT ON COLUMN event_types.name IS 'in lower case; the document has it as it was written';

-- +goose Down
COMMENT ON COLUMN event_types.name IS NULL;
ALTER TABLE event_types DROP CONSTRAINT name_in_lower_case;
