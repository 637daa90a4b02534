-- +goose Up

-- Whether no later attempt could succeed. A failed delivery without it has used up its attempts.
ALTER TABLE deliveries ADD COLUMN permanent boolean NOT NULL DEFAULT false;
ALTER TABLE attempts   ADD COLUMN permanent boolean NOT NULL DEFAULT false;

-- +goose Down
ALTER TABLE attempts   DROP COLUMN permanent;
ALTER TABLE deliveries DROP COLUMN permanent;
