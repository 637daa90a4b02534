-- +goose Up

-- How often an attempt sent its request: 0 if it could not, more than 1 where a kept
-- connection broke, an HTTP/2 receiver turned the request down, or a token was renewed.
ALTER TABLE attempts ADD COLUMN requests smallint NOT NULL DEFAULT 1;

-- +goose Down
ALTER TABLE attempts DROP COLUMN requests;
