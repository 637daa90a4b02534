package postgres

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// oldest is the first major version that has everything that we use (DROP DATABASE … WITH (FORCE)).
const oldest = 13

// binaries finds the folder with initdb and postgres: of the major version that made the data
// directory if there is one, otherwise of the first version that is new enough. If the machine has
// none, it installs PostgreSQL.
func binaries(ctx context.Context, version string, progress func(string)) (string, error) {
	bin, found := choose(ctx, version)
	if bin != "" {
		return bin, nil
	}
	if version != "" {
		return "", fmt.Errorf("the data was written by PostgreSQL %s, which is not on this machine (found: %s): install that version, or start with another folder (--data-dir)",
			version, orNone(found))
	}
	if err := install(ctx, progress); err != nil {
		return "", err
	}
	if bin, found = choose(ctx, version); bin == "" {
		return "", fmt.Errorf("PostgreSQL was installed, and still no version from %d on is found (found: %s)", oldest, orNone(found))
	}
	return bin, nil
}

// choose returns the folder to use, empty if there is none, and all versions that it found.
func choose(ctx context.Context, version string) (bin string, found []string) {
	for _, dir := range candidates(ctx) {
		major := majorVersion(ctx, dir)
		if major == "" {
			continue
		}
		found = append(found, major)
		n, _ := strconv.Atoi(major)
		if version == major || version == "" && n >= oldest {
			return dir, found
		}
	}
	return "", found
}

// candidates returns the folders to search, the user's own choice first.
func candidates(ctx context.Context) []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		dirs = append(dirs, filepath.Dir(path))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		dirs = append(dirs, strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",                 // Debian, Ubuntu
		"/usr/pgsql-*/bin",                          // Red Hat, from postgresql.org
		"/usr/libexec/postgresql*",                  // Alpine
		"/opt/homebrew/opt/postgresql*/bin",         // Homebrew on Apple silicon
		"/usr/local/opt/postgresql*/bin",            // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/postg*/bin", // Homebrew on Linux
		"/Applications/Postgres.app/Contents/Versions/*/bin",
	} {
		matches, _ := filepath.Glob(pattern) // the only possible error is a bad pattern
		slices.SortFunc(matches, func(a, b string) int { return number(b) - number(a) })
		dirs = append(dirs, matches...)
	}
	return append(dirs, filepath.Join(downloaded(), "bin"))
}

// number returns the version in a folder's name, so that 16 comes before 9.
func number(dir string) int {
	n, _ := strconv.Atoi(regexp.MustCompile(`[0-9]+`).FindString(strings.TrimPrefix(dir, "/home/linuxbrew")))
	return n
}

// majorVersion asks the server program in dir; empty: there is no usable one.
func majorVersion(ctx context.Context, dir string) string {
	if !exists(filepath.Join(dir, "initdb")) {
		return ""
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return ""
	}
	match := regexp.MustCompile(`\(PostgreSQL\) ([0-9]+)`).FindStringSubmatch(string(out))
	if match == nil {
		return ""
	}
	return match[1]
}

func orNone(found []string) string {
	if len(found) == 0 {
		return "none"
	}
	return strings.Join(found, ", ")
}
