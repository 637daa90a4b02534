-- +goose Up

-- What a cancelled operation did to deliveries that were not sent since is taken back.

ALTER TABLE operation_items
    ADD COLUMN before json; -- how a delivery stood that the operation has sent; null: it is not taken back

ALTER TABLE operations
    ADD COLUMN back_id text COLLATE "C" NOT NULL DEFAULT ''; -- items of lesser ids are still to be taken back; empty: none

-- +goose Down
ALTER TABLE operations DROP COLUMN back_id;
ALTER TABLE operation_items DROP COLUMN before;
