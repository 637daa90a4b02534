-- +goose Up

-- Every change that somebody made: who, what, why, when, and by which way. Rows are written in the
-- transaction of the change, hold no payload, secret or credential, and stay for 400 days.
CREATE TABLE audit (
    id         text COLLATE "C" PRIMARY KEY,
    at         timestamptz NOT NULL,
    actor      text COLLATE "C" NOT NULL CHECK (actor <> ''),
    role       text        NOT NULL,  -- of the key; empty: the actor has none
    bound      boolean     NOT NULL,  -- the key is bound to the tenant: person and address go with its erasure
    person     text        NOT NULL,
    verb       text        NOT NULL CHECK (verb <> ''),
    kind       text        NOT NULL CHECK (kind <> ''),
    object     text COLLATE "C" NOT NULL CHECK (object <> '' OR kind = 'event'),  -- an event's is empty once its tenant was erased
    tenant     text COLLATE "C" NOT NULL,  -- empty: it is every tenant's
    reason     text        NOT NULL,
    request_id text        NOT NULL,
    origin     text        NOT NULL CHECK (origin IN ('api', 'console', 'temporal', 'switchboard')),
    address    text        NOT NULL,
    changed    json        NOT NULL CHECK (json_typeof(changed) = 'object')  -- as it was written: a filter may hold what jsonb refuses
);

CREATE INDEX audit_tenant ON audit (tenant, id);
CREATE INDEX audit_object ON audit (object, id);
CREATE INDEX audit_actor ON audit (actor, id);

-- +goose Down
DROP TABLE audit;
