package main

import (
	"slices"

	"github.com/alecthomas/kong"

	"github.com/seed-49a43567/switchboard/cmd/switchboard/cli"
)

// help prints the help of a command with the settings that it reads. Every command accepts all
// settings, so that it can run with the environment of the processes.
func help(options kong.HelpOptions, parsed *kong.Context) error {
	if command := parsed.Selected(); command != nil {
		for _, flag := range parsed.Model.Flags {
			flag.Hidden = flag.Hidden || flag.Group != nil && flag.Group.Key == serverGroup && !reads(command.Path(), flag.Name)
		}
	}
	return cli.Help(options, parsed)
}

// reads reports whether a command reads a setting.
func reads(command, setting string) bool {
	database := []string{"database-url", "database-url-file", "encryption-key", "encryption-key-file", "max-conns"}
	switch command {
	case "serve", "api", "worker":
		return true
	case "setup":
		return false // only Temporal's own variables
	case "healthcheck":
		return setting == "listen"
	case "verify":
		return slices.Contains(append(database, "lost-keys", "retention", "retention-failed", "payload-retention", "idempotency-window"), setting)
	default: // migrate, keys, erase
		return slices.Contains(append(database, "lost-keys"), setting)
	}
}
