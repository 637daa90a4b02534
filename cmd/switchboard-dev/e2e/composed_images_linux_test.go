package e2e

import (
	"os"
	"path/filepath"
	"strings"
)

// composeImage is what a service gets from its image.
type composeImage struct {
	entrypoint []string          // used if the file names none
	more       []string          // arguments that the file may omit in a container
	user       int               // owner of the secrets that a process of the image reads
	files      map[string]string // files in the image, by path
}

// imageOf returns the stand-in for a service's image. Its programs are in the folder bin.
func (c *composed) imageOf(service string) composeImage {
	name, _, _ := strings.Cut(c.services[service].Image, ":")
	return map[string]composeImage{
		"temporalio/admin-tools": {user: 1000},
		"temporalio/server":      {user: 1000, files: map[string]string{"/etc/temporal/entrypoint.sh": c.path("bin/temporal-entrypoint.sh")}},
		"temporalio/ui":          {user: 1000, entrypoint: []string{c.path("ui/start-ui-server.sh")}},
		"prom/prometheus":        {user: 65534, entrypoint: []string{"prometheus"}, more: []string{"--web.listen-address=" + c.addresses["prometheus"] + ":9090"}},
		"switchboard":            {user: 65532, entrypoint: []string{"switchboard"}},
	}[name]
}

// installImages installs what the images contain: Temporal's programs in the versions of go.mod,
// which are those of the images, the images' start scripts, and this machine's Prometheus.
func (c *composed) installImages() {
	c.t.Helper()
	for _, folder := range []string{"bin", "ui/config"} {
		if err := os.MkdirAll(c.path(folder), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	for to, file := range map[string]string{
		"bin/temporal-server":   temporalProgram(c.t, temporalServer),
		"bin/temporal-sql-tool": temporalProgram(c.t, temporalSQLTool),
		"ui/ui-server":          temporalProgram(c.t, temporalUI),
		"bin/prometheus":        prometheusProgram(c.t, "prometheus"),
		"bin/promtool":          prometheusProgram(c.t, "promtool"),
		"bin/switchboard":       built.path(c.t),
	} {
		installProgram(c.t, file, c.path(to))
	}
	server, ui := moduleFolder(c.t, "go.temporal.io/server"), moduleFolder(c.t, "github.com/temporalio/ui-server/v2")
	// The shell of the images has pipefail, and Debian's does not.
	c.script(filepath.Join(server, "docker/scripts/sh/entrypoint.sh"), "bin/temporal-entrypoint.sh", "#!/bin/sh\n", "#!/bin/bash\n")
	c.script(filepath.Join(ui, "docker/start-ui-server.sh"), "ui/start-ui-server.sh", "exec ./ui-server", "cd "+c.path("ui")+" && exec ./ui-server")
	// In a container, the UI listens on all addresses.
	c.script(filepath.Join(ui, "config/docker.yaml"), "ui/config/docker.yaml", "\nport: ", "\nhost: "+c.addresses["temporal-ui"]+"\nport: ")
}

// script copies a file of an image, with one replacement.
func (c *composed) script(from, to, old, replacement string) {
	c.t.Helper()
	text := string(c.read(from))
	if !strings.Contains(text, old) {
		c.t.Fatalf("%s has no %q", from, old)
	}
	if err := os.WriteFile(c.path(to), []byte(strings.Replace(text, old, replacement, 1)), 0o755); err != nil {
		c.t.Fatal(err)
	}
}
