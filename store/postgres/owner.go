package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// owner is the user who runs the server and owns its files. PostgreSQL refuses to run as root, so
// root uses another user.
type owner struct {
	name     string
	uid, gid int
	switches bool // this process is root, and the server's processes take this user's id
}

// unprivileged chooses the user: the current one, or for root the package's own user, or else one
// that exists on every system. If a user already owns dir, that stays so, even if the package was
// installed since.
func unprivileged(dir string) (owner, error) {
	if os.Geteuid() != 0 {
		return owner{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	var users []owner
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil && uid > 0 { // macOS writes nobody as -2
			users = append(users, owner{name: name, uid: uid, gid: gid, switches: true})
		}
	}
	for _, o := range users {
		if o.owns(dir) {
			return o, nil
		}
	}
	if len(users) == 0 {
		return owner{}, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody: run as an ordinary user")
	}
	return users[0], nil
}

// owns looks at the folder, or at the target of a link.
func (o owner) owns(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == o.uid
}

// mkdir makes a folder that only the owner can enter, or changes an existing one so.
func (o owner) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", dir)
	}
	// Never use another user's folder, such as one prepared in /tmp.
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int(stat.Uid) != o.uid && int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user id %d, not to us", dir, stat.Uid)
	}
	if err := o.give(dir); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// give makes the owner the owner of the file.
func (o owner) give(path string) error {
	if !o.switches {
		return nil
	}
	return os.Lchown(path, o.uid, o.gid)
}

// elsewhere is the parent folder for a server whose owner cannot reach its own place.
const elsewhere = "/var/lib"

// home returns the folder of the server for dir: dir itself, or the target of the link there. A
// checkout of root may be below a folder that is closed to the owner, such as /root. Then home
// makes a folder below /var/lib, and a link to it at dir.
func (o owner) home(dir string, progress func(string)) (string, error) {
	if target, err := os.Readlink(dir); err == nil {
		return target, nil
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	if exists(dir) || o.enters(parent) {
		return dir, nil
	}
	made, err := os.MkdirTemp(elsewhere, "switchboard-dev-")
	if err != nil {
		return "", err
	}
	progress(fmt.Sprintf("PostgreSQL runs as user %s, who cannot enter %s: its data goes to %s", o.name, parent, made))
	return made, os.Symlink(made, dir)
}

// enters checks that the owner can enter the folder. For another user than the current one, this
// depends on every folder above it.
func (o owner) enters(dir string) bool {
	return !o.switches || o.command(context.Background(), "/", "test", "-x", dir).Run() == nil
}

// command prepares a program that runs as the owner. dir is a folder that the owner may enter,
// because the current one may be closed to them.
func (o owner) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if o.switches {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(o.uid), Gid: uint32(o.gid)}}
	}
	return cmd
}
