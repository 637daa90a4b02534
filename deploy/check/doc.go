// Package check checks what operators get. It checks compose.yaml with Compose's own loader, and
// the chart with Helm's own linter and engine and with Kubernetes' own types. It also checks that
// these, the systemd units and the example of an environment agree. It is a separate module, so
// that people who build Switchboard need not fetch its dependencies.
package check
