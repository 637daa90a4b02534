package catalogue

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

//go:embed data/*.json
var data embed.FS

// Load reads the data files. It returns an error if one of them is wrong.
func Load() (*Catalogue, error) { return load(data) }

// load reads the data files below data/. It loads the platforms and use cases of all files first,
// because an event type may name the use case of another platform.
func load(files fs.FS) (*Catalogue, error) {
	names, err := fs.Glob(files, "data/*.json")
	if err != nil {
		return nil, err
	}
	c := &Catalogue{platforms: map[string]switchboard.Platform{}, useCases: map[string]switchboard.UseCase{}, limiter: newValidationLimiter()}
	var types []switchboard.EventType
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		var f file
		if err := decodeStrict(text, &f); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if f.Platform != strings.TrimSuffix(path.Base(name), ".json") {
			return nil, fmt.Errorf("%s: is the file of another platform, %q", name, f.Platform)
		}
		more, err := c.add(&f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		types = append(types, more...)
	}
	loaded, err := c.with(types)
	if err != nil {
		return nil, fmt.Errorf("data files: %w", err)
	}
	return loaded, nil
}

// add adds a file's platform and use cases, and returns its event types.
func (c *Catalogue) add(f *file) ([]switchboard.EventType, error) {
	if err := decodeStrict(f.Profile, &profile{}); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	c.platforms[f.Platform] = switchboard.Platform{Name: f.Platform, Title: f.Title, Homepage: f.Homepage, Profile: compact(f.Profile)}
	for _, u := range f.UseCases {
		if err := c.addUseCase(u); err != nil {
			return nil, err
		}
	}
	var types []switchboard.EventType
	for _, t := range f.EventTypes {
		sameName := func(other switchboard.EventType) bool { return strings.EqualFold(other.Name, t.Name) }
		if slices.ContainsFunc(types, sameName) || len(t.Samples) == 0 {
			return nil, errors.New(t.Name + ": is defined twice, or has no sample")
		}
		types = append(types, t.toEventType(f.Platform))
		c.examples = append(c.examples, t.examples(f.Platform)...)
	}
	return types, nil
}
