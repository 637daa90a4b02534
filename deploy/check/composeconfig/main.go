// Command composeconfig prints what a Compose file runs, as one JSON document: the container of
// each service, what it waits for, and how it is checked. It does for tests what
// `docker compose config` does, but needs no Docker.
//
//	go run ./composeconfig compose.yaml [NAME=value …]
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/seed-49a43567/switchboard/deploy/check"
)

type service struct {
	Image       string            `json:"image"`
	User        string            `json:"user"`
	Restart     string            `json:"restart"`
	Entrypoint  []string          `json:"entrypoint"`
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
	Healthcheck []string          `json:"healthcheck"`
	DependsOn   map[string]string `json:"depends_on"` // the condition, by service
	Mounts      []mount           `json:"mounts"`
}

type mount struct {
	Volume string `json:"volume"` // its name; empty: Source is a file or a folder
	Source string `json:"source"`
	Target string `json:"target"`
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "composeconfig:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("name the Compose file")
	}
	project, err := check.LoadCompose(ctx, arguments[0], arguments[1:]...)
	if err != nil {
		return err
	}
	services := map[string]service{}
	for name, s := range project.Services {
		services[name] = service{
			Image: s.Image, User: s.User, Restart: s.Restart, Entrypoint: s.Entrypoint, Command: s.Command,
			Environment: environment(s), Healthcheck: healthcheck(s), DependsOn: dependsOn(s), Mounts: mounts(s),
		}
	}
	return json.NewEncoder(os.Stdout).Encode(services)
}

func environment(s types.ServiceConfig) map[string]string {
	set := map[string]string{}
	for name, value := range s.Environment {
		if value != nil { // nil: to be taken from the shell, and not set there
			set[name] = *value
		}
	}
	return set
}

func healthcheck(s types.ServiceConfig) []string {
	if s.HealthCheck == nil {
		return nil
	}
	return s.HealthCheck.Test
}

func dependsOn(s types.ServiceConfig) map[string]string {
	conditions := map[string]string{}
	for name, dependency := range s.DependsOn {
		conditions[name] = dependency.Condition
	}
	return conditions
}

func mounts(s types.ServiceConfig) []mount {
	var all []mount
	for _, v := range s.Volumes {
		if v.Type == types.VolumeTypeVolume {
			all = append(all, mount{Volume: v.Source, Target: v.Target})
		} else {
			all = append(all, mount{Source: v.Source, Target: v.Target})
		}
	}
	return all
}
