#!/bin/sh
# Makes the passwords and the encryption key of compose.yaml: each once, at the first
# start. What is there is kept, so that a later start changes nothing.
#
# Each file belongs to the user of the one image that reads it, and to nobody else.
set -eu

dir=/secrets
postgres=999 switchboard=65532 temporal=1000 grafana=472 # users of the images

# password: 32 random bytes as hexadecimal, which no URL and no SQL has to quote.
password() { od -A n -t x1 -N 32 /dev/urandom | tr -d ' \n'; }

# put USER FILE TEXT: writes a file that is not there, whole or not at all.
put() {
	file=$dir/$2
	test ! -e "$file" || return 0
	mkdir -p "$(dirname "$file")"
	chmod 0755 "$(dirname "$file")"
	(umask 077 && printf '%s' "$3" >"$file.new")
	chmod 0400 "$file.new"
	test "$(id -u)" != 0 || chown "$1:$1" "$file.new"
	mv "$file.new" "$file"
	echo "made $2"
}

# Postgres reads the passwords of its roles when it makes them; whoever signs in as one
# has a copy.
put $postgres postgres/postgres "$(password)"
put $postgres postgres/switchboard "$(password)"
put $postgres postgres/temporal "$(password)"
put $temporal temporal/password "$(cat "$dir/postgres/temporal")"
put $switchboard switchboard/database_url \
	"postgres://switchboard:$(cat "$dir/postgres/switchboard")@postgres:5432/switchboard?sslmode=disable"
put $switchboard switchboard/encryption_key "k1:$(head -c 32 /dev/urandom | base64)"
put $grafana grafana/admin_password "$(password)"
