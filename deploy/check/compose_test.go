package check

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
)

const composeFile = "../../compose.yaml"

func loadCompose(t *testing.T, variables ...string) *types.Project {
	t.Helper()
	project, err := LoadCompose(t.Context(), composeFile, variables...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// Each service meets the requirements of a deployment: pinned, limited, reachable only from this
// machine, and without a secret.
func TestComposeServices(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	if len(project.Services) < 10 {
		t.Fatalf("%d services", len(project.Services))
	}
	pinned := regexp.MustCompile(`^[a-z/-]+:v?\d+\.\d+(\.\d+)?$`)
	for name, s := range project.Services {
		if !pinned.MatchString(s.Image) && s.Image != "switchboard:local" {
			t.Errorf("%s: image %s has no exact version", name, s.Image)
		}
		if s.Logging == nil || s.Logging.Options["max-size"] == "" {
			t.Errorf("%s: its log grows without a bound", name)
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is published on %q", name, port.Published, port.HostIP)
			}
		}
		for variable, value := range s.Environment {
			if value != nil && *value != "" && secretName(variable) && !strings.HasPrefix(*value, "/secrets/") {
				t.Errorf("%s: %s is written into the file", name, variable)
			}
		}
		for _, volume := range s.Volumes {
			if _, err := os.Stat(volume.Source); volume.Type == types.VolumeTypeBind && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		checkLife(t, project, s)
	}
}

// secretName reports whether a variable contains a secret.
func secretName(variable string) bool {
	return regexp.MustCompile(`PASSWORD|PWD|_KEY|TOKEN|SECRET|DATABASE_URL`).MatchString(variable)
}

// checkLife checks a service by its kind. One that runs is restarted and has a health check, and
// others wait until it is healthy. One that prepares something is repeated, and others wait until
// it has ended.
func checkLife(t *testing.T, project *types.Project, s types.ServiceConfig) {
	t.Helper()
	step := slices.Contains([]string{"secrets", "temporal-schema", "migrate", "setup"}, s.Name)
	switch {
	case step && !strings.HasPrefix(s.Restart, types.RestartPolicyOnFailure):
		t.Errorf("%s: restart %q", s.Name, s.Restart)
	case !step && s.Restart != types.RestartPolicyUnlessStopped:
		t.Errorf("%s: restart %q", s.Name, s.Restart)
	case !step && (s.HealthCheck == nil || len(s.HealthCheck.Test) == 0):
		t.Errorf("%s has no health check", s.Name)
	}
	for dependent, other := range project.Services {
		condition, depends := other.DependsOn[s.Name]
		want := types.ServiceConditionHealthy
		if step {
			want = types.ServiceConditionCompletedSuccessfully
		}
		if depends && condition.Condition != want {
			t.Errorf("%s waits for %s: %s", dependent, s.Name, condition.Condition)
		}
	}
}

// What the loader is trusted to do: it refuses a mistake of each kind.
func TestComposeMistakes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]struct{ old, new, says string }{
		"a key that there is not":       {"    stop_grace_period: 60s\n    depends_on:\n      setup:", "    stop_grace: 60s\n    depends_on:\n      setup:", "stop_grace"},
		"a value of another type":       {"shm_size: 256m", "shm_size: [256m]", "shm_size"},
		"a cycle":                       {"      secrets: {condition: service_completed_successfully}\n    volumes:\n      - {type: volume, source: postgres", "      worker: {condition: service_healthy}\n    volumes:\n      - {type: volume, source: postgres", "cycle"},
		"a service that there is not":   {"      setup: {condition", "      set-up: {condition", "set-up"},
		"a volume that there is not":    {"source: prometheus, target", "source: metrics, target", "metrics"},
		"a network that there is not":   {"networks: [data, default]", "networks: [data, outside]", "outside"},
		"a condition that there is not": {"{condition: service_healthy}", "{condition: service_happy}", "condition"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(string(text), change.old) {
				t.Fatalf("compose.yaml has no %q", change.old)
			}
			file := filepath.Join(t.TempDir(), "compose.yaml")
			if err := os.WriteFile(file, []byte(strings.Replace(string(text), change.old, change.new, 1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := LoadCompose(t.Context(), file); err == nil || !strings.Contains(err.Error(), change.says) {
				t.Errorf("%v; want an error that says %q", err, change.says)
			}
		})
	}
}

// The variables that a user may set have their effects.
func TestComposeVariables(t *testing.T) {
	t.Parallel()
	project := loadCompose(t, "SWITCHBOARD_IMAGE=registry.example/switchboard:1.2.3", "SWITCHBOARD_PORT=9000", "TEMPORAL_UI_PORT=9001", "PROMETHEUS_PORT=9002", "GRAFANA_PORT=9003")
	for name, want := range map[string]string{"api": "9000", "temporal-ui": "9001", "prometheus": "9002", "grafana": "9003"} {
		if ports := project.Services[name].Ports; len(ports) != 1 || ports[0].Published != want {
			t.Errorf("%s publishes %v, want %s", name, ports, want)
		}
	}
	for _, name := range switchboardServices(project) {
		s := project.Services[name]
		if s.Image != "registry.example/switchboard:1.2.3" {
			t.Errorf("%s runs %s", name, s.Image)
		}
		for variable, want := range map[string]string{"SWITCHBOARD_PUBLIC_URL": "http://127.0.0.1:9000", "SWITCHBOARD_TEMPORAL_UI": "http://127.0.0.1:9001"} {
			if value := s.Environment[variable]; value == nil || *value != want {
				t.Errorf("%s: %s is not %s", name, variable, want)
			}
		}
	}
}

// switchboardServices returns the names of the services that run our binary.
func switchboardServices(project *types.Project) []string {
	var names []string
	for name, s := range project.Services {
		if _, ours := s.Environment["SWITCHBOARD_LISTEN"]; ours {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
