package check

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// objects are the objects that a chart renders.
type objects struct {
	notes  string
	byName map[string]runtime.Object // by Kind/name
}

// render renders the chart with values, and decodes the result strictly: an unknown or duplicate
// field is an error, as for `kubectl apply --validate=strict`.
func render(t *testing.T, values map[string]any) objects {
	t.Helper()
	texts, err := renderTexts(values)
	if err != nil {
		t.Fatal(err)
	}
	found := objects{byName: map[string]runtime.Object{}}
	for template, text := range texts {
		if path.Base(template) == "NOTES.txt" {
			found.notes = text
			continue
		}
		documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", template, err)
			}
			if strings.TrimSpace(string(withoutComments(document))) == "" {
				continue
			}
			name, object, err := decode(document)
			if err != nil {
				t.Fatalf("%s: %v\n%s", template, err, document)
			}
			if found.byName[name] != nil {
				t.Errorf("%s is rendered twice", name)
			}
			found.byName[name] = object
		}
	}
	return found
}

// decode decodes one object. For kinds that others define, it only reads the name.
func decode(document []byte) (string, runtime.Object, error) {
	var named metav1.PartialObjectMetadata
	if err := yaml.Unmarshal(document, &named); err != nil {
		return "", nil, err
	}
	name := named.Kind + "/" + named.Name
	if named.Name == "" {
		return "", nil, fmt.Errorf("%s has no name", named.Kind)
	}
	if named.GroupVersionKind().Group == "external-secrets.io" {
		return name, &named, nil
	}
	codecs := serializer.NewCodecFactory(scheme(), serializer.EnableStrict)
	object, _, err := codecs.UniversalDeserializer().Decode(document, nil, nil)
	return name, object, err
}

// scheme knows the kinds in the chart.
func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		appsv1.AddToScheme, autoscalingv2.AddToScheme, batchv1.AddToScheme, corev1.AddToScheme,
		networkingv1.AddToScheme, policyv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(s); err != nil {
			panic(err) // two kinds with one name, which no input can cause
		}
	}
	return s
}

// withoutComments returns a document without comment lines and separators.
func withoutComments(document []byte) []byte {
	var kept []byte
	for line := range bytes.Lines(document) {
		if trimmed := bytes.TrimSpace(line); !bytes.HasPrefix(trimmed, []byte("#")) && !bytes.Equal(trimmed, []byte("---")) {
			kept = append(kept, line...)
		}
	}
	return kept
}

// all returns the objects of one type.
func all[T runtime.Object](o objects) []T {
	var found []T
	for _, object := range o.byName {
		if one, ok := object.(T); ok {
			found = append(found, one)
		}
	}
	return found
}

// The decoder finds a field that Kubernetes does not have, and one of the wrong type.
func TestDecodeIsStrict(t *testing.T) {
	t.Parallel()
	const right = "apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 80}]}\n"
	if _, _, err := decode([]byte(right)); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{
		strings.Replace(right, "ports", "port", 1),
		strings.Replace(right, "80", "http", 1),
		strings.Replace(right, "Service", "Servant", 1),
		strings.Replace(right, "{name: x}", "{}", 1),
		"apiVersion: monitoring.coreos.com/v1\nkind: ServiceMonitor\nmetadata: {name: x}\nspec: {endpoint: []}\n",
	} {
		if _, _, err := decode([]byte(wrong)); err == nil {
			t.Errorf("it takes\n%s", wrong)
		}
	}
}
