#!/bin/sh
# Brings the schema of Temporal's two databases to the version of these tools, which is the
# server's: at the first start, and after each upgrade. What is there already is left alone.
set -eu
SQL_PASSWORD=$(cat /secrets/temporal/password)
export SQL_PASSWORD

# schema DATABASE NAME
schema() {
	temporal-sql-tool --db "$1" setup-schema -v 0.0
	temporal-sql-tool --db "$1" update-schema --schema-name "$2"
}

schema temporal postgresql/v12/temporal
schema temporal_visibility postgresql/v12/visibility
