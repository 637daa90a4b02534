package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// composeService is a service of compose.yaml, from Compose's own loader.
type composeService struct {
	Image       string
	User        string
	Restart     string
	Entrypoint  []string
	Command     []string
	Environment map[string]string
	Healthcheck []string
	DependsOn   map[string]string `json:"depends_on"` // the condition, by service
	Mounts      []composeMount
}

// composeMount is a volume, a file or a folder, with its place in a container.
type composeMount struct{ Volume, Source, Target string }

// composed is compose.yaml without containers. Its services run as processes, in the order in which
// they wait for each other. Each runs its command, with only the environment of the file, and with
// the mounted files. The differences:
//
//   - Each service has its own loopback address instead of its name, so that the ports are those of
//     the file. Where it would listen on all addresses, it listens on this one.
//   - Mounted files are in one folder, at the path that they have in a container.
//   - Receivers are on loopback.
type composed struct {
	t         *testing.T
	services  map[string]composeService
	addresses map[string]string
	root      string
	running   map[string]*composeProcess
	isUp      map[string]bool
	printed   map[string]string // of the steps that have ended
}

func newComposed(t *testing.T) *composed {
	t.Helper()
	c := &composed{t: t, services: composeConfig(t), addresses: map[string]string{}, running: map[string]*composeProcess{}, isUp: map[string]bool{}, printed: map[string]string{}}
	network := make([]byte, 2)
	_, _ = rand.Read(network) // never fails
	for i, name := range slices.Sorted(maps.Keys(c.services)) {
		c.addresses[name] = fmt.Sprintf("127.%d.%d.%d", 1+network[0]%254, network[1], i+1)
	}
	var err error
	if c.root, err = os.MkdirTemp("", "switchboard-compose-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(c.root) })
	if err := os.Chmod(c.root, 0o755); err != nil { // the users of the images must be able to enter it
		t.Fatal(err)
	}
	c.installImages()
	for name, s := range c.services {
		for _, m := range s.Mounts {
			if m.Volume != "" {
				c.makeVolume(name, m.Target)
			} else {
				c.mount(name, m.Source, m.Target)
			}
		}
	}
	return c
}

// composeConfig reads compose.yaml with a program of the module that has Compose's loader.
func composeConfig(t *testing.T) map[string]composeService {
	t.Helper()
	var complaints bytes.Buffer
	command := exec.CommandContext(t.Context(), "go", "-C", "../../../deploy/check", "run", "./composeconfig", "../../compose.yaml")
	command.Stderr = &complaints
	printed, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	var services map[string]composeService
	if err := json.Unmarshal(printed, &services); err != nil {
		t.Fatal(err)
	}
	return services
}

// path returns where a path of a container is.
func (c *composed) path(inContainer string) string { return filepath.Join(c.root, inContainer) }

func (c *composed) makeVolume(service, target string) {
	c.t.Helper()
	if err := os.MkdirAll(c.path(target), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if os.Geteuid() != 0 || target == "/secrets" { // its files have the owners that secrets.sh sets
		return
	}
	user := c.imageOf(service).user
	if err := os.Chown(c.path(target), user, user); err != nil {
		c.t.Fatal(err)
	}
}

// mount copies a file or a folder to its mount point, and makes the changes for this test.
func (c *composed) mount(service, source, target string) {
	c.t.Helper()
	err := filepath.WalkDir(source, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		inside, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		to := filepath.Join(c.path(target), inside)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, []byte(c.here(service, string(text))), 0o644)
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// edit changes a mounted file. The change must find something to replace.
func (c *composed) edit(target string, change func(text string) string) {
	c.t.Helper()
	file := c.path(target)
	text := string(c.read(file))
	changed := change(text)
	if changed == text {
		c.t.Fatalf("nothing to change in %s:\n%s", target, text)
	}
	info, err := os.Stat(file)
	if err != nil {
		c.t.Fatal(err)
	}
	err = errors.Join(os.Chmod(file, 0o600), os.WriteFile(file, []byte(changed), 0o600), os.Chmod(file, info.Mode()))
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *composed) read(file string) []byte {
	c.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// hostAndPort matches a service's name in an address.
var hostAndPort = regexp.MustCompile(`(^|[/@])([a-z-]+):(\d+)`)

// here puts this machine's addresses and paths into a service's text.
func (c *composed) here(service, text string) string {
	text = hostAndPort.ReplaceAllStringFunc(text, func(found string) string {
		part := hostAndPort.FindStringSubmatch(found)
		if address, is := c.addresses[part[2]]; is {
			return part[1] + address + ":" + part[3]
		}
		return found
	})
	text = strings.ReplaceAll(text, "0.0.0.0", c.addresses[service])
	mounts := slices.Clone(c.services[service].Mounts)
	slices.SortFunc(mounts, func(a, b composeMount) int { return len(b.Target) - len(a.Target) })
	var paths []string
	for _, m := range mounts {
		paths = append(paths, m.Target, c.path(m.Target))
	}
	for inImage, file := range c.imageOf(service).files {
		paths = append(paths, inImage, file)
	}
	return strings.NewReplacer(paths...).Replace(text)
}

// environment returns the environment of a service's process.
func (c *composed) environment(service string) []string {
	environ := []string{
		"PATH=" + c.path("bin") + ":" + os.Getenv("PATH"), "HOME=" + c.root, // the image's
		"SWITCHBOARD_ALLOW_CIDRS=127.0.0.0/8", // receivers are on loopback
	}
	for name, value := range c.services[service].Environment {
		address, isHost := c.addresses[value]
		switch {
		case isHost && (strings.HasSuffix(name, "_HOST") || strings.HasSuffix(name, "_SEEDS")):
			value = address
		case strings.HasPrefix(value, ":"): // to listen on all addresses
			value = c.addresses[service] + value
		default:
			value = c.here(service, value)
		}
		environ = append(environ, name+"="+value)
	}
	return environ
}

// command prepares a process of a service.
func (c *composed) command(ctx context.Context, service string, line []string) *exec.Cmd {
	c.t.Helper()
	program := line[0]
	if own := c.path("bin/" + program); !strings.Contains(program, "/") && exists(own) {
		program = own
	}
	var arguments []string
	for _, argument := range line[1:] {
		arguments = append(arguments, c.here(service, argument))
	}
	command := exec.CommandContext(ctx, program, arguments...)
	command.Dir, command.Env = c.root, c.environment(service)
	if user := c.imageOf(service).user; os.Geteuid() == 0 && c.services[service].User != "root" {
		command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(user), Gid: uint32(user)}}
	}
	return command
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
