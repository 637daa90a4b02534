-- +goose Up

-- Who is signed in to the console. Of what opens a session its SHA-256 is kept alone. A session ends
-- with its key, which each request looks up; a person whom a trusted proxy names has no key.
CREATE TABLE sessions (
    id           text COLLATE "C" PRIMARY KEY,
    hash         bytea       NOT NULL UNIQUE CHECK (length(hash) = 32),
    key_id       text COLLATE "C",  -- null: a trusted proxy names the person
    person       text        NOT NULL CHECK (person <> ''),
    role         text        NOT NULL CHECK (role IN ('admin', 'integrator', 'support', 'viewer')),
    tenant       text COLLATE "C" NOT NULL,  -- empty: every tenant
    read_payload boolean     NOT NULL,
    portal       boolean     NOT NULL,  -- a portal link began it
    created_at   timestamptz NOT NULL,
    seen_at      timestamptz NOT NULL,  -- to the minute
    ends_at      timestamptz NOT NULL,  -- at the latest
    address      text        NOT NULL,
    CHECK (key_id IS NOT NULL OR NOT portal)
);

CREATE INDEX sessions_key ON sessions (key_id);

-- What begins one session for somebody without a key, and is spent by it.
CREATE TABLE portal_links (
    id           text COLLATE "C" PRIMARY KEY,
    hash         bytea       NOT NULL UNIQUE CHECK (length(hash) = 32),
    key_id       text COLLATE "C" NOT NULL,  -- of whom made it
    person       text        NOT NULL CHECK (person <> ''),
    role         text        NOT NULL CHECK (role IN ('admin', 'integrator', 'support', 'viewer')),
    tenant       text COLLATE "C" NOT NULL,  -- empty: every tenant
    read_payload boolean     NOT NULL,
    next         text        NOT NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    seconds      integer     NOT NULL CHECK (seconds > 0),  -- how long the session lasts
    spent_at     timestamptz
);

CREATE INDEX portal_links_key ON portal_links (key_id);

-- +goose Down
DROP TABLE portal_links;
DROP TABLE sessions;
