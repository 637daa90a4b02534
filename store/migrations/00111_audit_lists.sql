-- +goose Up

-- The audit by whoever did something, and by what was done: without these a person or a verb that is
-- rare was looked for in all of 400 days.
CREATE INDEX audit_person ON audit (person, id) WHERE person <> '';
CREATE INDEX audit_verb ON audit (verb, id);
CREATE INDEX audit_kind ON audit (kind, id);

-- +goose Down
DROP INDEX audit_kind, audit_verb, audit_person;
