package check

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// What no schema checks: each object finds what it names, in every case.
func TestReferences(t *testing.T) {
	t.Parallel()
	for name, values := range cases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := render(t, values)
			pods := podsOf(o)
			for _, d := range all[*appsv1.Deployment](o) {
				checkDeployment(t, o, d)
			}
			for _, s := range all[*corev1.Service](o) {
				one := selected(pods, &metav1.LabelSelector{MatchLabels: s.Spec.Selector})
				if len(one) != 1 || !hasPort(one[0], s.Spec.Ports[0].TargetPort.StrVal) {
					t.Errorf("service %s leads to %d kinds of pods", s.Name, len(one))
				}
			}
			for _, b := range all[*policyv1.PodDisruptionBudget](o) {
				if n := len(selected(pods, b.Spec.Selector)); n != 1 {
					t.Errorf("budget %s is for %d kinds of pods", b.Name, n)
				}
			}
			for _, a := range all[*autoscalingv2.HorizontalPodAutoscaler](o) {
				if o.byName["Deployment/"+a.Spec.ScaleTargetRef.Name] == nil {
					t.Errorf("autoscaler %s scales %s, which is not there", a.Name, a.Spec.ScaleTargetRef.Name)
				}
			}
			for _, p := range all[*networkingv1.NetworkPolicy](o) {
				if n := len(selected(pods, &p.Spec.PodSelector)); n != len(pods) {
					t.Errorf("the policy holds %d of %d kinds of pods", n, len(pods))
				}
			}
			for _, i := range all[*networkingv1.Ingress](o) {
				checkIngress(t, o, i)
			}
			for _, m := range all[*monitoringv1.ServiceMonitor](o) {
				checkMonitor(t, o, m)
			}
		})
	}
}

// pod is a pod template, as in a Deployment or a Job.
type pod struct {
	owner string
	corev1.PodTemplateSpec
}

func podsOf(o objects) []pod {
	var pods []pod
	for _, d := range all[*appsv1.Deployment](o) {
		pods = append(pods, pod{d.Name, d.Spec.Template})
	}
	for _, j := range all[*batchv1.Job](o) {
		pods = append(pods, pod{j.Name, j.Spec.Template})
	}
	return pods
}

func selected(pods []pod, selector *metav1.LabelSelector) []pod {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil || parsed.Empty() {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(pods), func(p pod) bool { return !parsed.Matches(labels.Set(p.Labels)) })
}

func hasPort(p pod, name string) bool {
	return slices.ContainsFunc(p.Spec.Containers[0].Ports, func(port corev1.ContainerPort) bool { return port.Name == name })
}

func checkDeployment(t *testing.T, o objects, d *appsv1.Deployment) {
	t.Helper()
	template := pod{d.Name, d.Spec.Template}
	if len(selected([]pod{template}, d.Spec.Selector)) != 1 {
		t.Errorf("%s does not select its own pods", d.Name)
	}
	container := d.Spec.Template.Spec.Containers[0]
	for _, source := range container.EnvFrom {
		if o.byName["ConfigMap/"+source.ConfigMapRef.Name] == nil {
			t.Errorf("%s reads the ConfigMap %s, which is not there", d.Name, source.ConfigMapRef.Name)
		}
	}
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		if probe == nil || !hasPort(template, probe.HTTPGet.Port.StrVal) {
			t.Errorf("%s: a probe is missing, or asks a port that is", d.Name)
		}
	}
	if container.LivenessProbe.HTTPGet.Path == "/readyz" {
		t.Errorf("%s is restarted because of what is missing elsewhere", d.Name)
	}
	// One that the chart does not make is the one in the case external-secrets.
	if account := d.Spec.Template.Spec.ServiceAccountName; o.byName["ServiceAccount/"+account] == nil && account != "webhooks" {
		t.Errorf("%s runs as %s, which is not there", d.Name, account)
	}
	for _, spread := range d.Spec.Template.Spec.TopologySpreadConstraints {
		if len(selected([]pod{template}, spread.LabelSelector)) != 1 {
			t.Errorf("%s spreads other pods over %s", d.Name, spread.TopologyKey)
		}
	}
}

func checkIngress(t *testing.T, o objects, i *networkingv1.Ingress) {
	t.Helper()
	for _, rule := range i.Spec.Rules {
		for _, to := range rule.HTTP.Paths {
			backend := to.Backend.Service
			service, ok := o.byName["Service/"+backend.Name].(*corev1.Service)
			if !ok || !slices.ContainsFunc(service.Spec.Ports, func(p corev1.ServicePort) bool { return p.Name == backend.Port.Name }) {
				t.Errorf("%s%s leads to %s, port %s, which is not there", rule.Host, to.Path, backend.Name, backend.Port.Name)
			}
		}
	}
}

// checkMonitor checks that every process is scraped.
func checkMonitor(t *testing.T, o objects, m *monitoringv1.ServiceMonitor) {
	t.Helper()
	scraped := map[string]bool{}
	selector := labels.SelectorFromSet(m.Spec.Selector.MatchLabels)
	for _, s := range all[*corev1.Service](o) {
		if selector.Matches(labels.Set(s.Labels)) && s.Spec.Ports[0].Name == m.Spec.Endpoints[0].Port && s.Labels[m.Spec.JobLabel] == "switchboard" {
			scraped[s.Spec.Selector["app.kubernetes.io/component"]] = true
		}
	}
	if got := slices.Sorted(maps.Keys(scraped)); !slices.Equal(got, []string{"api", "worker"}) {
		t.Errorf("scraped are %v", got)
	}
}

// Every pod meets the pod security standard "restricted", and cannot write to its file system.
func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	for name, values := range cases(t) {
		for _, p := range podsOf(render(t, values)) {
			c, of := p.Spec.Containers[0], p.Spec.SecurityContext
			for what, is := range map[string]bool{
				"runs as root":              of == nil || of.RunAsNonRoot == nil || !*of.RunAsNonRoot || *of.RunAsUser == 0,
				"has no seccomp profile":    of == nil || of.SeccompProfile == nil || of.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault,
				"may gain privileges":       c.SecurityContext == nil || *c.SecurityContext.AllowPrivilegeEscalation,
				"can write":                 c.SecurityContext == nil || !*c.SecurityContext.ReadOnlyRootFilesystem,
				"has capabilities":          c.SecurityContext == nil || !slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}),
				"has a token":               p.Spec.AutomountServiceAccountToken == nil || *p.Spec.AutomountServiceAccountToken,
				"has no limit of memory":    c.Resources.Limits.Memory().IsZero(),
				"requests no CPU or memory": c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero(),
			} {
				if is {
					t.Errorf("%s: %s %s", name, p.owner, what)
				}
			}
		}
	}
}

// The chart's copies of files in deploy/ are current: the alerts and the dashboards.
func TestFilesOfTheChart(t *testing.T) {
	t.Parallel()
	o := render(t, cases(t)["everything"])
	var alerts struct {
		Groups []struct {
			Rules []struct{ Alert string }
		}
	}
	if err := yaml.Unmarshal(read(t, "../alerts.yaml"), &alerts); err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, group := range alerts.Groups {
		for _, rule := range group.Rules {
			want = append(want, rule.Alert)
		}
	}
	for _, group := range all[*monitoringv1.PrometheusRule](o)[0].Spec.Groups {
		for _, rule := range group.Rules {
			got = append(got, rule.Alert)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 5 {
		t.Errorf("alerts of deploy/alerts.yaml (-) and of the chart (+):\n%s", diff)
	}
	files, err := filepath.Glob("../grafana/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	dashboards, ok := o.byName["ConfigMap/webhooks-dashboards"].(*corev1.ConfigMap)
	if !ok || len(dashboards.Data) != len(files) {
		t.Fatalf("%d dashboards, want %d", len(dashboards.Data), len(files))
	}
	for _, file := range files {
		if dashboards.Data[filepath.Base(file)] != string(read(t, file)) {
			t.Errorf("%s is another one in the chart", file)
		}
	}
}
