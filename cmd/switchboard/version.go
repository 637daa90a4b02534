package main

import (
	"runtime"
	"runtime/debug"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard/cli"
	"github.com/seed-49a43567/switchboard/store"
)

type versionCommand struct{}

func (versionCommand) Help() string {
	return `Examples:

    switchboard version
    switchboard version -o json`
}

func (versionCommand) Run(s *cli.Session) error {
	version, err := versionOf(debug.ReadBuildInfo())
	if err != nil {
		return err
	}
	return s.PrintVersion(version)
}

// versionOf describes this binary, and what it needs of the database. The commit is what the go
// command records if it finds the repository.
func versionOf(build *debug.BuildInfo, known bool) (cli.Version, error) {
	schema, err := store.SchemaVersion()
	if err != nil {
		return cli.Version{}, err
	}
	v := cli.Version{Version: switchboard.Version, Schema: schema, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if !known {
		return v, nil
	}
	for _, setting := range build.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Commit = setting.Value
		case "vcs.time":
			v.CommitTime, _ = time.Parse(time.RFC3339, setting.Value) // omitted if it is not valid
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	return v, nil
}
