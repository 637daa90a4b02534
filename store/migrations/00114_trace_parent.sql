-- +goose Up

-- The W3C trace context of the post of an event, from which the spans of its deliveries follow, also
-- days later and in other processes. Null: it is not traced, as most are not; a null takes no room.
ALTER TABLE events ADD COLUMN trace_parent text;

-- +goose Down
ALTER TABLE events DROP COLUMN trace_parent;
