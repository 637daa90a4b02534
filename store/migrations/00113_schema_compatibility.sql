-- +goose Up

-- The schema version of the oldest binary that works on this schema. A binary that finds a newer schema
-- than its own starts if its own is not below that, so that a release can be taken back without its
-- migrations. A migration that removes something raises it: docs/upgrading.md.
CREATE TABLE schema_compatibility (oldest bigint NOT NULL);
CREATE UNIQUE INDEX schema_compatibility_one_row ON schema_compatibility ((true));
INSERT INTO schema_compatibility VALUES (112);

-- +goose Down
DROP TABLE schema_compatibility;
