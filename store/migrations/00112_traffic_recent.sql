-- +goose Up

-- The attempts of the last minutes by subscription, which are not in traffic_subscription yet: from
-- rollup.subscriptions_to on. Each pass of RollUp counts them anew, so that what is recorded late is
-- not missed.
CREATE TABLE traffic_recent (LIKE traffic_subscription INCLUDING ALL);

-- +goose Down
DROP TABLE traffic_recent;
