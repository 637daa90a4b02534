-- +goose Up

-- Nothing is looked for in what was sent and answered. Sorting samples of it was the
-- larger part of what keeping the planner's statistics cost, every minute on a busy day.
ALTER TABLE events ALTER COLUMN data SET STATISTICS 0;
ALTER TABLE attempts
    ALTER COLUMN request_headers SET STATISTICS 0,
    ALTER COLUMN response_headers SET STATISTICS 0,
    ALTER COLUMN response_body SET STATISTICS 0;

-- +goose Down
ALTER TABLE events ALTER COLUMN data SET STATISTICS -1;
ALTER TABLE attempts
    ALTER COLUMN request_headers SET STATISTICS -1,
    ALTER COLUMN response_headers SET STATISTICS -1,
    ALTER COLUMN response_body SET STATISTICS -1;
