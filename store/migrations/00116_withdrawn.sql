-- +goose Up

-- Each attempt of a delivery that an operation may have dated asks for the cancelled operations that take back.
CREATE INDEX operations_back ON operations (id) WHERE back_id <> '';

-- +goose Down
DROP INDEX operations_back;
