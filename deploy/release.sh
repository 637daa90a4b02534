#!/usr/bin/env bash
# release.sh [DIR]: build the archives of a release into DIR (dist), with a bill of materials for
# each and SHA256SUMS. The same commit gives the same bytes, in whatever folder: in the binaries is
# no path, and in the archives no time, owner or order of this machine. PLATFORMS narrows them.
set -euo pipefail
cd "$(dirname "$0")/.."
dist=$(realpath -m "${1:-dist}")
sbom="go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"

version=$(sed -n 's/^const Version = "\(.*\)"$/\1/p' version.go)
fail() { echo "release: $*" >&2; exit 1; }
test -z "$(git status --porcelain)" || fail "there are changes that are in no commit"
grep -q "^## $version " CHANGELOG.md || fail "CHANGELOG.md has no heading for $version"
test "$(git tag --points-at HEAD --list "v$version")" || echo "release: this commit has no tag v$version; the binaries name it by its hash alone" >&2

# It is built from a clone: the go command notes the commit in a binary only in a repository of its own.
source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
git clone --quiet . "$source"
cd "$source"

# Nothing of this machine's environment decides what is built.
export CGO_ENABLED=0 GOAMD64=v1 GOARM64=v8.0 GOEXPERIMENT='' GOFLAGS=-mod=readonly LC_ALL=C TZ=UTC
committed=$(git log -1 --format=%ct)

rm -rf "$dist"
mkdir -p "$dist"
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/arm64}; do
	name=switchboard_${version}_${platform%/*}_${platform#*/}
	mkdir "$dist/$name"
	echo "release: $name" >&2
	GOOS=${platform%/*} GOARCH=${platform#*/} go build -trimpath -buildvcs=true -ldflags='-s -w' -o "$dist/$name/switchboard" ./cmd/switchboard
	$sbom bin -json -noserial -notimestamp -std -version "v$version" "$dist/$name/switchboard" |
		sed '/^        "hashes": \[$/,/^        \],$/d' >"$dist/$name.cdx.json" # of the tool itself, as this machine has compiled it
	git archive HEAD LICENSE NOTICE ':(glob)*.md' compose.yaml docs deploy ':(exclude)*_test.go' ':(exclude)deploy/check' ':(exclude)deploy/release.sh' ':(exclude)deploy/last_release' |
		tar -x -C "$dist/$name"
	tar --sort=name --mtime="@$committed" --owner=0 --group=0 --numeric-owner --mode='u=rwX,go=rX' -C "$dist" -cf - "$name" |
		gzip -9n >"$dist/$name.tar.gz"
	rm -r "${dist:?}/$name"
done
(cd "$dist" && sha256sum ./*.tar.gz ./*.cdx.json | sed 's, \./, ,' >SHA256SUMS)
cat "$dist/SHA256SUMS"
