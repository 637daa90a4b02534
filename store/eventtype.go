package store

import (
	"context"
	"encoding/json"

	"switchboard"
)

// EventTypes returns the event types that were added or changed at run time.
func (s *Store) EventTypes(ctx context.Context) ([]switchboard.EventType, error) {
	var documents []string
	if err := s.list(ctx, &documents, "SELECT document FROM event_types ORDER BY platform, name"); err != nil {
		return nil, err
	}
	types := make([]switchboard.EventType, len(documents))
	for i, document := range documents {
		if err := json.Unmarshal([]byte(document), &types[i]); err != nil {
			return nil, err
		}
	}
	return types, nil
}

// SaveEventType adds an event type, or replaces the one of its platform and name.
func (s *Store) SaveEventType(ctx context.Context, caller switchboard.Caller, t switchboard.EventType) error {
	if caller.Tenant != "" {
		return switchboard.Errorf(switchboard.Forbidden, "event types are every tenant's: this key is bound to one")
	}
	document, err := json.Marshal(t)
	if err != nil {
		return err
	}
	return s.tx(ctx, func(ctx context.Context, tx transaction) error {
		_, err := tx.ExecContext(ctx, `
INSERT INTO event_types (platform, name, document, updated_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (platform, name) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at`,
			t.Platform, t.Name, clean(string(document)), s.now())
		return err
	})
}

// DeleteEventType takes back what was added or changed at run time. One that was
// not is NotFound.
func (s *Store) DeleteEventType(ctx context.Context, caller switchboard.Caller, platform, name string) error {
	if caller.Tenant != "" {
		return switchboard.Errorf(switchboard.Forbidden, "event types are every tenant's: this key is bound to one")
	}
	return s.tx(ctx, func(ctx context.Context, tx transaction) error {
		result, err := tx.ExecContext(ctx, "DELETE FROM event_types WHERE platform = $1 AND name = $2", platform, name)
		if err != nil {
			return err
		}
		if deleted, err := result.RowsAffected(); err != nil || deleted > 0 {
			return err
		}
		return switchboard.Errorf(switchboard.NotFound, "nothing was added to or changed in %s/%s", platform, name)
	})
}
