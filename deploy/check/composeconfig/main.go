// Command composeconfig prints what a Compose file runs, as one JSON document: the command,
// the environment and the health check of each service. It does for tests what `docker compose
// config` does where there is Docker.
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
	Command     []string          `json:"command"`
	Environment map[string]string `json:"environment"`
	Healthcheck []string          `json:"healthcheck"`
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
		services[name] = service{Command: s.Command, Environment: environment(s), Healthcheck: healthcheck(s)}
	}
	return json.NewEncoder(os.Stdout).Encode(services)
}

func environment(s types.ServiceConfig) map[string]string {
	set := map[string]string{}
	for name, value := range s.Environment {
		if value != nil { // nil: taken from the shell, and not set there
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
