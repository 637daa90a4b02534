-- Roles and databases of compose.yaml, as deploy/README.md, step 1, has them. Postgres's
-- image runs this once, when it makes its data. The passwords are those of secrets.sh.

DO $$
DECLARE
  role text;
BEGIN
  FOREACH role IN ARRAY ARRAY['temporal', 'switchboard'] LOOP
    EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L', role, pg_read_file('/secrets/postgres/' || role));
  END LOOP;
END
$$;

CREATE DATABASE temporal OWNER temporal;

CREATE DATABASE temporal_visibility OWNER temporal;

CREATE DATABASE switchboard OWNER switchboard;

REVOKE CONNECT ON DATABASE temporal, temporal_visibility, switchboard FROM PUBLIC;
