package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	embedded "github.com/fergusstrange/embedded-postgres"
)

// maven is the repository that has PostgreSQL's programs for many systems.
const maven = "https://repo1.maven.org/maven2"

// downloaded returns the folder of the downloads, for every server and every test of the user.
// Root's own cache is closed to the user who will run the programs.
func downloaded() string {
	base, err := os.UserCacheDir()
	if err != nil {
		base = os.TempDir()
	}
	if os.Geteuid() == 0 {
		base = "/var/cache"
	}
	return filepath.Join(base, "switchboard", "postgresql")
}

// download fetches the programs into dir. It unpacks them elsewhere and renames the folder, so that
// dir is complete even if ctx ends.
func download(ctx context.Context, repository, dir string, progress func(string)) error {
	progress("PostgreSQL is not on this machine: downloading it, about 10 MB")
	aside := dir + ".new"
	if err := errors.Join(os.RemoveAll(aside), os.RemoveAll(dir)); err != nil {
		return err
	}
	if err := unlessDone(ctx, func() error { return fetch(repository, aside) }); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return os.Rename(aside, dir)
}

// fetch uses the library to fetch and unpack the programs. The library would then run a server of
// its own; a locale that does not exist stops it before. The library first checks whether the port
// is free, and port 0 always is.
func fetch(repository, dir string) error {
	scratch, err := os.MkdirTemp("", "switchboard-pg-download-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	run := filepath.Join(scratch, "run") // made after everything is unpacked
	err = embedded.NewDatabase(embedded.DefaultConfig().Port(0).Logger(io.Discard).Locale("none-such").
		BinaryRepositoryURL(repository).CachePath(scratch).BinariesPath(dir).
		RuntimePath(run).DataPath(filepath.Join(scratch, "data"))).Start()
	if exists(run) {
		return nil
	}
	return err
}
