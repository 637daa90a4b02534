package check

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

const (
	chartDir = "../helm/switchboard"
	release  = "hooks"
	space    = "webhooks"
)

// cases are the sets of values for checking the chart, by name.
func cases(t *testing.T) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob("testdata/values/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	found := map[string]map[string]any{}
	for _, file := range files {
		values := map[string]any{}
		if err := yaml.Unmarshal(read(t, file), &values); err != nil {
			t.Fatal(err)
		}
		found[strings.TrimSuffix(filepath.Base(file), ".yaml")] = values
	}
	return found
}

// helm lint: neither errors nor warnings.
func TestLint(t *testing.T) {
	t.Parallel()
	for name, values := range cases(t) {
		for _, message := range lint.RunAll(chartDir, values, space).Messages {
			if message.Severity > support.InfoSev || !strings.Contains(message.Error(), "icon is recommended") {
				t.Errorf("%s: %v", name, message)
			}
		}
	}
}

// helm template: each case has the expected objects, and Kubernetes knows every field.
func TestTemplate(t *testing.T) {
	t.Parallel()
	always := []string{
		"ConfigMap/hooks-switchboard", "Deployment/hooks-switchboard-api", "Deployment/hooks-switchboard-worker", "Job/hooks-switchboard-migrate",
		"PodDisruptionBudget/hooks-switchboard-api", "PodDisruptionBudget/hooks-switchboard-worker", "Service/hooks-switchboard-api", "Service/hooks-switchboard-worker",
	}
	for name, want := range map[string][]string{
		"defaults":         append([]string{"ServiceAccount/hooks-switchboard"}, always...),
		"external-secrets": append([]string{"ExternalSecret/switchboard-vault"}, always...),
		"portal-proxy":     append([]string{"Ingress/hooks-switchboard-api", "NetworkPolicy/hooks-switchboard", "ServiceAccount/hooks-switchboard"}, always...),
		"serve": {
			"ConfigMap/hooks-switchboard", "Deployment/hooks-switchboard-serve", "HorizontalPodAutoscaler/hooks-switchboard-serve", "Job/hooks-switchboard-migrate",
			"PodDisruptionBudget/hooks-switchboard-serve", "Service/hooks-switchboard-api", "ServiceAccount/hooks-switchboard",
		},
		"everything": {
			"ConfigMap/brand", "ConfigMap/webhooks", "ConfigMap/webhooks-dashboards", "Deployment/webhooks-api", "Deployment/webhooks-worker",
			"HorizontalPodAutoscaler/webhooks-api", "HorizontalPodAutoscaler/webhooks-worker", "Ingress/webhooks-api", "Job/webhooks-migrate", "Job/webhooks-setup",
			"NetworkPolicy/webhooks", "PodDisruptionBudget/webhooks-api", "PodDisruptionBudget/webhooks-worker", "PrometheusRule/webhooks",
			"Service/webhooks-api", "Service/webhooks-worker", "ServiceAccount/webhooks", "ServiceMonitor/webhooks",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			slices.Sort(want)
			if diff := cmp.Diff(want, slices.Sorted(maps.Keys(render(t, cases(t)[name]).byName))); diff != "" {
				t.Errorf("objects (-want +got):\n%s", diff)
			}
		})
	}
}

// Implausible values are refused before anything is rendered.
func TestValuesAreChecked(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ values, says string }{
		"a setting that there is not":  {"config: {SWITCHBOARD_SLOT: '5'}", "SWITCHBOARD_SLOT"},
		"a number, which Helm rounds":  {"config: {SWITCHBOARD_MAX_BATCH: 5242880}", "SWITCHBOARD_MAX_BATCH"},
		"a secret among the settings":  {"config: {SWITCHBOARD_ENCRYPTION_KEY: k1:x}", "SWITCHBOARD_ENCRYPTION_KEY"},
		"a value that there is not":    {"replicas: 3", "replicas"},
		"a mode that there is not":     {"mode: both", "mode"},
		"a value of a part":            {"worker: {replica: 3}", "replica"},
		"a worker that is cut off":     {"worker: {terminationGracePeriodSeconds: 30}", "terminationGracePeriodSeconds"},
		"a policy without Postgres":    {"networkPolicy: {enabled: true, temporal: {to: [{podSelector: {}}]}}", "postgres"},
		"a digest that is none":        {"image: {digest: latest}", "digest"},
		"no name of the secret":        {"secret: {name: ''}", "secret"},
		"a quantity that is not one":   {"api: {resources: {limits: {memory: much}}}", "memory"},
		"a policy for images":          {"image: {pullPolicy: Sometimes}", "pullPolicy"},
		"a target that is no quantity": {"worker: {autoscaling: {targetLoad: half}}", "targetLoad"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			values := map[string]any{}
			if err := yaml.Unmarshal([]byte(test.values), &values); err != nil {
				t.Fatal(err)
			}
			if _, err := renderTexts(values); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v; want an error about %s", err, test.says)
			}
		})
	}
}

// renderTexts renders the chart like an install, by template.
func renderTexts(values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(chartDir)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: release, Namespace: space, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(chart, all)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
