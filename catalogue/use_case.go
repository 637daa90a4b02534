package catalogue

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// UseCase returns the use case with that name or alias: "Contact" is contact, "Conversation
// record" is conversation.
func (c *Catalogue) UseCase(name string) (switchboard.UseCase, bool) {
	u, known := c.useCases[useCaseName(name)]
	return u, known
}

func useCaseName(name string) string {
	return strings.Join(strings.Fields(strings.ToLower(name)), "_")
}

// addUseCase adds a use case under its name and aliases. Platforms share use cases: what a use case
// may read on one platform, it may read on all.
func (c *Catalogue) addUseCase(u useCase) error {
	shared := u.UseCase
	if known, ok := c.useCases[u.Name]; ok {
		merged, err := merge(known, shared)
		if err != nil {
			return err
		}
		shared = merged
	}
	for _, name := range append([]string{u.Name}, u.Aliases...) {
		if known, ok := c.useCases[name]; ok && known.Name != u.Name || name != useCaseName(name) {
			return fmt.Errorf("use case %s: the name %q is taken or not in our style", u.Name, name)
		}
		c.useCases[name] = shared
	}
	return nil
}

func merge(a, b switchboard.UseCase) (switchboard.UseCase, error) {
	if a.Entity != b.Entity {
		return a, fmt.Errorf("use case %s: its entity is %q here and %q there", a.Name, a.Entity, b.Entity)
	}
	if a.Variables == "" {
		a.Variables = b.Variables
	}
	if len(a.Reads) == 0 || len(b.Reads) == 0 { // one of them reads all
		a.Reads = nil
		return a, nil
	}
	a.Reads = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(a.Reads), b.Reads...))))
	return a, nil
}
