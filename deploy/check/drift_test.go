package check

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// The example of an environment has the name of every setting. A test next to it compares it with
// the declaration of the configuration.
const exampleFile = "../switchboard.env.example"

var setting = regexp.MustCompile(`(?m)^#?((?:SWITCHBOARD|TEMPORAL)_[A-Z0-9_]+|GOGC)=(.*)$`)

func exampleSettings(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, match := range setting.FindAllStringSubmatch(string(read(t, exampleFile)), -1) {
		found[match[1]] = match[2]
	}
	if len(found) < 30 {
		t.Fatalf("the example has %d settings", len(found))
	}
	return found
}

// setByChart are the settings that no value of the chart sets: secrets come from the Secret, and
// the chart decides where a pod listens.
func setByChart() []string {
	return []string{
		"SWITCHBOARD_DATABASE_URL", "SWITCHBOARD_DATABASE_URL_FILE", "SWITCHBOARD_ENCRYPTION_KEY", "SWITCHBOARD_ENCRYPTION_KEY_FILE",
		"SWITCHBOARD_LISTEN", "TEMPORAL_API_KEY",
	}
}

// The chart has every setting, and Compose and the chart set no other.
func TestSettingNames(t *testing.T) {
	t.Parallel()
	known := exampleSettings(t)
	var schema struct {
		Properties struct {
			Config struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal(read(t, chartDir+"/values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	want := slices.DeleteFunc(slices.Sorted(maps.Keys(known)), func(name string) bool { return slices.Contains(setByChart(), name) })
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(schema.Properties.Config.Properties))); diff != "" {
		t.Errorf("settings of the example (-) and of the chart's schema (+):\n%s", diff)
	}
	check := func(where, name string) {
		if _, ok := known[name]; !ok && !strings.HasPrefix(name, "OTEL_") {
			t.Errorf("%s sets %s, which is no setting", where, name)
		}
	}
	project := loadCompose(t)
	for _, service := range switchboardServices(project) {
		for name := range project.Services[service].Environment {
			check("compose.yaml", name)
		}
	}
	for name, values := range cases(t) {
		o := render(t, values)
		for _, p := range podsOf(o) {
			for _, variable := range p.Spec.Containers[0].Env {
				check("the chart, "+name, variable.Name)
			}
		}
		for variable := range configOf(t, o) {
			check("the chart, "+name, variable)
		}
	}
}

// configOf is the environment that Deployments get from the ConfigMap.
func configOf(t *testing.T, o objects) map[string]string {
	t.Helper()
	d := all[*appsv1.Deployment](o)[0]
	config, ok := o.byName["ConfigMap/"+d.Spec.Template.Spec.Containers[0].EnvFrom[0].ConfigMapRef.Name].(*corev1.ConfigMap)
	if !ok {
		t.Fatal("no ConfigMap")
	}
	return config.Data
}

// The API and the worker run in the same way everywhere: with the same command, on the same port,
// and with the same time to stop.
func TestProcessesAreTheSame(t *testing.T) {
	t.Parallel()
	type process struct {
		Command, Listen string
		Stop            time.Duration
	}
	project, o := loadCompose(t), render(t, nil)
	example := exampleSettings(t)["SWITCHBOARD_LISTEN"]
	for name, stop := range map[string]time.Duration{"api": 30 * time.Second, "worker": 60 * time.Second} {
		want := process{name, ":8080", stop}
		s := project.Services[name]
		if got := (process{strings.Join(s.Command, " "), *s.Environment["SWITCHBOARD_LISTEN"], time.Duration(*s.StopGracePeriod)}); got != want {
			t.Errorf("Compose: %+v, want %+v", got, want)
		}
		pod := o.byName["Deployment/hooks-switchboard-"+name].(*appsv1.Deployment).Spec.Template.Spec
		grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
		if got := (process{strings.Join(pod.Containers[0].Args, " "), configOf(t, o)["SWITCHBOARD_LISTEN"], grace}); got != want {
			t.Errorf("chart: %+v, want %+v", got, want)
		}
		if port := ":" + strconv.Itoa(int(pod.Containers[0].Ports[0].ContainerPort)); port != want.Listen {
			t.Errorf("chart: %s has the port %s", name, port)
		}
		if name == "worker" { // both share a host, and have different ports
			want.Listen = ":8081"
		}
		if got := (process{unit(t, name, `ExecStart=/usr/local/bin/switchboard (\w+)`), unitListen(t, name, example), unitStop(t, name)}); got != want {
			t.Errorf("systemd: %+v, want %+v", got, want)
		}
	}
	if exposed := match(t, "../Dockerfile", `EXPOSE (\d+)`); ":"+exposed != example {
		t.Errorf("the image exposes %s", exposed)
	}
	if published := project.Services["api"].Ports[0]; published.Target != 8080 || published.Published != "8080" {
		t.Errorf("Compose publishes %s for %d", published.Published, published.Target)
	}
}

// A process that does both listens and stops like a worker, which takes longer, and leaves the load
// balancer first, like an API. The API's service leads to it.
func TestServe(t *testing.T) {
	t.Parallel()
	split, serve := render(t, nil), render(t, cases(t)["serve"])
	pod := func(o objects, name string) corev1.PodSpec {
		return o.byName["Deployment/hooks-switchboard-"+name].(*appsv1.Deployment).Spec.Template.Spec
	}
	want := pod(split, "worker")
	want.Containers[0].Name, want.Containers[0].Args = "serve", []string{"serve"}
	want.Containers[0].Lifecycle = pod(split, "api").Containers[0].Lifecycle
	got := pod(serve, "serve")
	for _, spread := range [][]corev1.TopologySpreadConstraint{want.TopologySpreadConstraints, got.TopologySpreadConstraints} {
		for i := range spread {
			spread[i].LabelSelector = nil // it names the component
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("a worker with the API's end (-) and serve (+):\n%s", diff)
	}
	labels := serve.byName["Deployment/hooks-switchboard-serve"].(*appsv1.Deployment).Spec.Template.Labels
	for name, value := range serve.byName["Service/hooks-switchboard-api"].(*corev1.Service).Spec.Selector {
		if labels[name] != value {
			t.Errorf("the API's service looks for %s=%s, and serve has %v", name, value, labels)
		}
	}
}

func unit(t *testing.T, name, pattern string) string {
	t.Helper()
	return match(t, "../systemd/switchboard-"+name+".service", "(?m)^"+pattern)
}

func unitStop(t *testing.T, name string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(unit(t, name, `TimeoutStopSec=(\d+)$`) + "s")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// unitListen is where a unit's process listens: by its flag, or else by its environment file.
func unitListen(t *testing.T, name, example string) string {
	t.Helper()
	if flag := unit(t, name, `ExecStart=[^\n]*?(?: --listen=(\S+))?$`); flag != "" {
		return flag
	}
	return example
}

// match returns the first group of the first match of a pattern in a file.
func match(t *testing.T, file, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindSubmatch(read(t, file))
	if found == nil {
		t.Fatalf("%s has no %s", file, pattern)
	}
	return string(found[1])
}

// Jobs and steps have the same commands, and the same namespace.
func TestStepsAreTheSame(t *testing.T) {
	t.Parallel()
	project, o := loadCompose(t), render(t, cases(t)["everything"])
	for _, name := range []string{"migrate", "setup"} {
		if got := strings.Join(project.Services[name].Command, " "); got != name {
			t.Errorf("Compose: %s runs %q", name, got)
		}
		for _, p := range podsOf(o) {
			if p.Labels["app.kubernetes.io/component"] == name && strings.Join(p.Spec.Containers[0].Args, " ") != name {
				t.Errorf("chart: %s runs %q", name, p.Spec.Containers[0].Args)
			}
		}
	}
	namespace := exampleSettings(t)["TEMPORAL_NAMESPACE"]
	for where, got := range map[string]string{
		"Compose": *project.Services["worker"].Environment["TEMPORAL_NAMESPACE"],
		"the UI":  *project.Services["temporal-ui"].Environment["TEMPORAL_DEFAULT_NAMESPACE"],
		"chart":   configOf(t, render(t, nil))["TEMPORAL_NAMESPACE"],
	} {
		if got != namespace {
			t.Errorf("%s: the namespace is %s, in the example %s", where, got, namespace)
		}
	}
}

// Compose runs the versions of Temporal that Switchboard is built and tested with, and the chart
// has the version that it installs.
func TestVersions(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	server := match(t, "../../go.mod", `go\.temporal\.io/server v(\S+)`)
	for service, image := range map[string]string{
		"temporal":        "temporalio/server:" + server,
		"temporal-schema": "temporalio/admin-tools:" + server,
		"temporal-ui":     "temporalio/ui:" + match(t, "../../go.mod", `github\.com/temporalio/ui-server/v2 v(\S+)`),
		"secrets":         project.Services["postgres"].Image, // which exists already
	} {
		if got := project.Services[service].Image; got != image {
			t.Errorf("%s is %s, want %s", service, got, image)
		}
	}
	version := match(t, "../../version.go", `const Version = "([^"]+)"`)
	for _, pattern := range []string{`(?m)^version: (\S+)$`, `(?m)^appVersion: "([^"]+)"$`} {
		if got := match(t, chartDir+"/Chart.yaml", pattern); got != version {
			t.Errorf("Chart.yaml: %s is %s, and Switchboard %s", pattern, got, version)
		}
	}
}

// Compose runs Temporal and Postgres in the way of README.md, steps 1 and 2.
func TestServersAreAsREADMESays(t *testing.T) {
	t.Parallel()
	project, readme := loadCompose(t), string(read(t, "../README.md"))
	for name, want := range map[string]string{"DB": "`postgres12_pgx`", "NUM_HISTORY_SHARDS": "`512`", "PROMETHEUS_ENDPOINT": "`0.0.0.0:9090`"} {
		if value := project.Services["temporal"].Environment[name]; value == nil || "`"+*value+"`" != want || !strings.Contains(readme, "| `"+name+"` | "+want) {
			t.Errorf("%s is not %s in both", name, want)
		}
	}
	command := strings.Join(project.Services["postgres"].Command, " ")
	for _, name := range []string{"max_locks_per_transaction", "wal_compression"} {
		value := regexp.MustCompile("`" + name + " = (\\S+)`").FindStringSubmatch(readme)
		if value == nil || !strings.Contains(command, name+"="+value[1]) {
			t.Errorf("Postgres: %s is not %v in both", name, value)
		}
	}
	script := string(read(t, "../compose/temporal-schema.sh"))
	for _, name := range regexp.MustCompile(`postgresql/v12/\w+`).FindAllString(readme, -1) {
		if !strings.Contains(script, name) {
			t.Errorf("the schema %s is not made", name)
		}
	}
	sql := string(read(t, "../compose/postgres-init.sql"))
	for _, statement := range regexp.MustCompile(`(?m)^  ((?:CREATE DATABASE|REVOKE) .*;)$`).FindAllStringSubmatch(readme, -1) {
		if !strings.Contains(sql, statement[1]) {
			t.Errorf("postgres-init.sql has no %s", statement[1])
		}
	}
}

// Compose's Prometheus scrapes every process, on its port, with the name that the chart's monitor
// gives it. The secrets belong to the user of the image and the chart.
func TestNamesOfCompose(t *testing.T) {
	t.Parallel()
	prometheus := string(read(t, "../compose/prometheus.yaml"))
	for _, want := range []string{"job_name: switchboard\n", "names: [api, worker]\n", "port: 8080\n", "names: [temporal]\n", "port: 9090\n"} {
		if !strings.Contains(prometheus, want) {
			t.Errorf("prometheus.yaml has no %q", want)
		}
	}
	user := match(t, "../compose/secrets.sh", `switchboard=(\d+)`)
	for _, p := range podsOf(render(t, nil)) {
		if got := strconv.FormatInt(*p.Spec.SecurityContext.RunAsUser, 10); got != user {
			t.Errorf("%s runs as %s, and the secrets of Compose are for %s", p.owner, got, user)
		}
	}
	for name, s := range loadCompose(t).Services {
		for variable, value := range s.Environment {
			if value == nil || !strings.HasPrefix(*value, "/secrets/") {
				continue
			}
			if file := strings.TrimPrefix(*value, "/secrets/"); !strings.Contains(string(read(t, "../compose/secrets.sh")), " "+file+" ") {
				t.Errorf("%s: %s names %s, which secrets.sh does not make", name, variable, file)
			}
			if !slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Source == "secrets" && v.ReadOnly }) {
				t.Errorf("%s has no volume with its secrets", name)
			}
		}
	}
}

// The metrics of autoscalers and their description exist.
func TestMetricsOfAutoscalers(t *testing.T) {
	t.Parallel()
	code := string(read(t, "../../activities/metrics.go")) + string(read(t, "../../cmd/switchboard/app/telemetry.go"))
	named := regexp.MustCompile(`\bswitchboard_[a-z_]+[a-z]\b`).FindAllString(string(read(t, chartDir+"/templates/autoscalers.yaml"))+string(read(t, chartDir+"/README.md")), -1)
	if len(named) < 2 {
		t.Fatalf("named are %v", named)
	}
	for _, name := range named {
		if !strings.Contains(code, `"`+name+`"`) {
			t.Errorf("the chart names %s, which nothing measures", name)
		}
	}
}
