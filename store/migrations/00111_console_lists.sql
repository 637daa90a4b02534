-- +goose Up

-- The audit by whoever did something, and by what was done: without these a person or a verb that is
-- rare was looked for in all of 400 days.
CREATE INDEX audit_person ON audit (person, id) WHERE person <> '';
CREATE INDEX audit_verb ON audit (verb, id);
CREATE INDEX audit_kind ON audit (kind, id);

-- What is paused or disabled, and what runs, is little among all that is there.
CREATE INDEX subscriptions_inactive ON subscriptions (state, id) WHERE deleted_at IS NULL AND state <> 'active';
CREATE INDEX operations_unfinished ON operations (state, id) WHERE state IN ('running', 'paused');

-- +goose Down
DROP INDEX operations_unfinished, subscriptions_inactive, audit_kind, audit_verb, audit_person;
