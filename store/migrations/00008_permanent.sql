-- +goose Up

-- Whether no later attempt could succeed. A failed delivery without it has used up its
-- attempts. The change is a moment, for which nobody is to queue behind a long report: it
-- gives up instead, and can be run again.
SET LOCAL lock_timeout = '3s';
ALTER TABLE deliveries ADD COLUMN permanent boolean NOT NULL DEFAULT false;
ALTER TABLE attempts   ADD COLUMN permanent boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE attempts   DROP COLUMN permanent;
ALTER TABLE deliveries DROP COLUMN permanent;
