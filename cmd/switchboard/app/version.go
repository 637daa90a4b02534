package app

import (
	"fmt"
	"io"
	"runtime/debug"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/store"
)

// PrintVersion prints what this binary is, and what it needs of the database.
func PrintVersion(out io.Writer) error {
	schema, err := store.SchemaVersion()
	if err != nil {
		return err
	}
	commit, toolchain := "unknown", "unknown"
	if build, ok := debug.ReadBuildInfo(); ok {
		commit, toolchain = commitOf(build), build.GoVersion
	}
	_, err = fmt.Fprintf(out, "switchboard %s\ncommit      %s\ngo          %s\nschema      %d\n", switchboard.Version, commit, toolchain, schema)
	return err
}

// commitOf is the commit that the binary was built from, as the go command notes it where it
// finds the repository.
func commitOf(build *debug.BuildInfo) string {
	settings := map[string]string{}
	for _, s := range build.Settings {
		settings[s.Key] = s.Value
	}
	commit := settings["vcs.revision"]
	if commit == "" {
		return "unknown: it was built outside of a repository"
	}
	if settings["vcs.modified"] == "true" {
		commit += ", with changes"
	}
	return commit + ", " + settings["vcs.time"]
}
