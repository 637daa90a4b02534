-- +goose Up

-- What was ended at once before there was the flag of 00008: by the rule of that time, so
-- that nobody reads that their attempts are used up. It is not in 00008, which keeps
-- everybody from the table.
UPDATE deliveries SET permanent = true
WHERE state = 'failed' AND reason IN ('http_410', 'forbidden_address', 'render') AND NOT permanent;

-- +goose Down
