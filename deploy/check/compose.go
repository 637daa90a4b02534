package check

import (
	"context"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// LoadCompose reads a Compose file as `docker compose` does: it interpolates the variables, given
// as NAME=value, and refuses what the schema does not allow, names that do not exist, and cycles.
func LoadCompose(ctx context.Context, file string, variables ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithEnv(variables))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(ctx)
}
