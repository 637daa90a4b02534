package stack

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// TestSettingsOfTheTool: Temporal's command-line tool gets the settings that operators are told to
// use.
func TestSettingsOfTheTool(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../deploy/temporal/dynamicconfig.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string][]struct {
		Value any `yaml:"value"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, setting := range devSettings() {
		name, value, _ := strings.Cut(setting, "=")
		entries := file[name]
		if len(entries) != 1 {
			t.Errorf("%s has %d values in deploy/temporal/dynamicconfig.yaml", name, len(entries))
			continue
		}
		want, err := json.Marshal(entries[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), value); diff != "" {
			t.Errorf("%s (-deploy +tool):\n%s", name, diff)
		}
	}
}
