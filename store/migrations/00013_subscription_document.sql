-- +goose Up
DELETE FROM subscriptions;
ALTER TABLE subscriptions
    DROP COLUMN profile, DROP COLUMN use_case, DROP COLUMN body, DROP COLUMN shape, DROP COLUMN content_type,
    DROP COLUMN signature_scheme, DROP COLUMN signature_header, DROP COLUMN signature_prefix, DROP COLUMN verification,
    DROP COLUMN retry, DROP COLUMN timeout, DROP COLUMN adaptive,
    ADD COLUMN document json NOT NULL CHECK (json_typeof(document) = 'object');

-- +goose Down
SELECT 1;
