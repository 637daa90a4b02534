// Package check checks what operators are handed: compose.yaml by Compose's own loader, the
// chart by Helm's own linter and engine and by Kubernetes' own types, and that they, the units
// for systemd and the example of an environment say the same. It is a module of its own, so
// that whoever builds Switchboard fetches nothing of it.
package check
