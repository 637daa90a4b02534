package catalogue

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/seed-49a43567/switchboard"
)

// Catalogue holds the platforms and their event types. It is immutable: many goroutines may read
// it, and nobody may change what it returns. The case of event types and platforms does not matter,
// as in the patterns of a subscription.
type Catalogue struct {
	platforms map[string]switchboard.Platform
	useCases  map[string]switchboard.UseCase // by name, and by alias
	examples  []Example
	types     []*entry            // sorted by platform and name
	byName    map[string][]*entry // the types of all platforms by name, in the same order
	limiter   *validationLimiter  // shared with the catalogues that this one was made from
}

// entry is an event type with its compiled schema.
type entry struct {
	switchboard.EventType
	schema *jsonschema.Schema // nil: none
}

// With returns a copy with these event types added. A type replaces the one with the same platform
// and name. Errors name the invalid field, as in [Catalogue.CheckEventType].
func (c *Catalogue) With(types []switchboard.EventType) (*Catalogue, error) {
	types = slices.Clone(types)
	for i := range types {
		types[i].BuiltIn = false
	}
	return c.with(types)
}

func (c *Catalogue) with(types []switchboard.EventType) (*Catalogue, error) {
	key := func(e *entry) [2]string { return [2]string{fold(e.Platform), fold(e.Name)} }
	entries := map[[2]string]*entry{}
	for _, e := range c.types {
		entries[key(e)] = e
	}
	for _, t := range types {
		e, err := c.check(t)
		if err != nil {
			return nil, err
		}
		entries[key(e)] = e
	}

	next := &Catalogue{platforms: c.platforms, useCases: c.useCases, examples: c.examples, byName: map[string][]*entry{}, limiter: c.limiter}
	next.types = slices.SortedFunc(maps.Values(entries), func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.Platform, b.Platform), cmp.Compare(a.Name, b.Name))
	})
	for _, e := range next.types {
		next.byName[fold(e.Name)] = append(next.byName[fold(e.Name)], e)
	}
	return next, nil
}

// EventTypes returns the types of a platform, or of all platforms if platform is empty, sorted by
// platform and name.
func (c *Catalogue) EventTypes(platform string) []switchboard.EventType {
	types := []switchboard.EventType{}
	for _, e := range c.types {
		if platform == "" || strings.EqualFold(e.Platform, platform) {
			types = append(types, e.EventType)
		}
	}
	return types
}

// EventType returns a platform's type of that name.
func (c *Catalogue) EventType(platform, name string) (switchboard.EventType, bool) {
	for _, e := range c.byName[fold(name)] {
		if strings.EqualFold(e.Platform, platform) {
			return e.EventType, true
		}
	}
	return switchboard.EventType{}, false
}

// VendorName returns the platform's own spelling of an event type, or the type itself if the
// catalogue does not know it.
func (c *Catalogue) VendorName(platform, eventType string) string {
	t, _ := c.EventType(platform, eventType)
	return cmp.Or(t.VendorName, eventType)
}

// Platforms lists the platforms by name.
func (c *Catalogue) Platforms() []switchboard.Platform {
	return slices.SortedFunc(maps.Values(c.platforms), func(a, b switchboard.Platform) int { return cmp.Compare(a.Name, b.Name) })
}

// Profile returns the platform's profile: a partial subscription in the API's form.
func (c *Catalogue) Profile(platform string) (json.RawMessage, bool) {
	p, known := c.platforms[fold(platform)]
	return p.Profile, known
}

func fold(name string) string { return strings.ToLower(name) }
