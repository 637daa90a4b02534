package catalogue

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// RefreshInterval is how often [Live.Run] reads the stored event types. An admin's change takes
// effect in every process within this time.
const RefreshInterval = 5 * time.Second

// Source provides the event types that were added or changed at run time.
type Source interface {
	EventTypes(ctx context.Context) ([]switchboard.EventType, error)
}

// Live is a catalogue that follows its source. It has the methods of [Catalogue], and answers from
// the last state that it could read.
type Live struct {
	base    *Catalogue
	source  Source
	log     *slog.Logger
	current atomic.Pointer[Catalogue]

	refreshing sync.Mutex
	last       []switchboard.EventType // the source of current; guarded by refreshing
}

// NewLive returns a catalogue that starts with base and adds the types of the source.
func NewLive(base *Catalogue, source Source, log *slog.Logger) *Live {
	l := &Live{base: base, source: source, log: log}
	l.current.Store(base)
	return l
}

// Run refreshes at once and then every [RefreshInterval] until the context ends. It logs the first
// of several failures in a row, and their end.
func (l *Live) Run(ctx context.Context) {
	ticker := time.NewTicker(RefreshInterval)
	defer ticker.Stop()
	failing := false
	for {
		err := l.Refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			l.log.WarnContext(ctx, "the catalogue's event types cannot be read; the last known ones remain in use", "error", err)
		case err == nil && failing:
			l.log.InfoContext(ctx, "the catalogue's event types can be read again")
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Refresh reads the source and replaces the catalogue. It omits invalid types: a stored type may be
// older than a rule. After an error nothing changes.
func (l *Live) Refresh(ctx context.Context) error {
	l.refreshing.Lock()
	defer l.refreshing.Unlock()
	types, err := l.source.EventTypes(ctx)
	if err != nil {
		return fmt.Errorf("read the event types: %w", err)
	}
	if reflect.DeepEqual(types, l.last) { // compiling is expensive, changes are rare
		return nil
	}
	next, err := l.base.With(l.valid(ctx, types))
	if err != nil {
		return fmt.Errorf("use the event types: %w", err)
	}
	l.current.Store(next)
	l.last = types
	return nil
}

// valid omits invalid types, which would block the others, and logs them. It is called only after a
// change.
func (l *Live) valid(ctx context.Context, types []switchboard.EventType) []switchboard.EventType {
	return slices.DeleteFunc(slices.Clone(types), func(t switchboard.EventType) bool {
		err := l.base.CheckEventType(t)
		if err != nil {
			l.log.WarnContext(ctx, "an event type is left out of the catalogue", "platform", t.Platform, "event_type", t.Name, "error", err)
		}
		return err != nil
	})
}

// EventTypes is [Catalogue.EventTypes].
func (l *Live) EventTypes(platform string) []switchboard.EventType {
	return l.current.Load().EventTypes(platform)
}

// EventType is [Catalogue.EventType].
func (l *Live) EventType(platform, name string) (switchboard.EventType, bool) {
	return l.current.Load().EventType(platform, name)
}

// VendorName is [Catalogue.VendorName].
func (l *Live) VendorName(platform, eventType string) string {
	return l.current.Load().VendorName(platform, eventType)
}

// Platforms is [Catalogue.Platforms].
func (l *Live) Platforms() []switchboard.Platform { return l.current.Load().Platforms() }

// Profile is [Catalogue.Profile].
func (l *Live) Profile(platform string) (json.RawMessage, bool) {
	return l.current.Load().Profile(platform)
}

// UseCase is [Catalogue.UseCase].
func (l *Live) UseCase(name string) (switchboard.UseCase, bool) {
	return l.current.Load().UseCase(name)
}

// Validate is [Catalogue.Validate].
func (l *Live) Validate(ctx context.Context, eventType string, data []byte) error {
	return l.current.Load().Validate(ctx, eventType, data)
}

// CheckEventType is [Catalogue.CheckEventType].
func (l *Live) CheckEventType(t switchboard.EventType) error {
	return l.current.Load().CheckEventType(t)
}
