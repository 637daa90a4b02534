package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-49a43567/switchboard"
)

// The column name has the name in lower case, because case does not matter. The document has it as
// it was written.

// EventTypes returns the event types that were added or changed at run time. If a document cannot
// be read, its event type is marked, and the others are returned as usual.
func (s *Store) EventTypes(ctx context.Context) ([]switchboard.EventType, error) {
	var rows []struct{ Platform, Name, Document string }
	if err := s.list(ctx, "list event types", &rows, "SELECT platform, name, document FROM event_types ORDER BY platform, name"); err != nil {
		return nil, err
	}
	types := make([]switchboard.EventType, len(rows))
	for i, r := range rows {
		if json.Unmarshal([]byte(r.Document), &types[i]) != nil {
			types[i] = switchboard.EventType{Platform: r.Platform, Name: r.Name, Unreadable: true}
		}
	}
	return types, nil
}

// SaveEventType adds an event type, or replaces the one with its platform and name.
func (s *Store) SaveEventType(ctx context.Context, caller switchboard.Caller, t switchboard.EventType) error {
	if err := ownsEventTypes(caller); err != nil {
		return err
	}
	return s.tx(ctx, "save event type", func(ctx context.Context, tx transaction) error {
		var before switchboard.EventType
		verb := switchboard.AuditUpdate
		switch document, err := storedEventType(ctx, tx, t); {
		case errors.Is(err, sql.ErrNoRows):
			verb = switchboard.AuditCreate
		case err != nil:
			return err
		default:
			_ = json.Unmarshal([]byte(document), &before) // a document that cannot be read is replaced
		}
		return s.putEventType(ctx, tx, caller, verb, before, t)
	})
}

// storedEventType reads the stored event type with that platform and name, and prevents changes by
// others.
func storedEventType(ctx context.Context, tx transaction, t switchboard.EventType) (document string, err error) {
	err = tx.GetContext(ctx, &document, "SELECT document FROM event_types WHERE platform = $1 AND name = $2 FOR UPDATE", t.Platform, strings.ToLower(t.Name))
	return document, err
}

// ChangeEventType applies a change to the event type with base's platform and name, and returns the
// result. The change sees the stored event type, whatever version the caller knew. If nothing is
// stored, it sees base if that came with Switchboard; otherwise somebody has deleted it: NotFound.
// If the change returns an error, so does ChangeEventType, and nothing is stored. The change may be
// called twice.
func (s *Store) ChangeEventType(ctx context.Context, caller switchboard.Caller, base switchboard.EventType, change func(*switchboard.EventType) error) (switchboard.EventType, error) {
	if err := ownsEventTypes(caller); err != nil {
		return switchboard.EventType{}, err
	}
	var changed switchboard.EventType
	err := s.tx(ctx, "change event type", func(ctx context.Context, tx transaction) error {
		var err error
		if changed, err = s.lockEventType(ctx, tx, base); err != nil {
			return err
		}
		before := changed
		if err := change(&changed); err != nil {
			return err
		}
		changed.Platform, changed.Name, changed.BuiltIn = base.Platform, base.Name, false
		return s.putEventType(ctx, tx, caller, switchboard.AuditUpdate, before, changed)
	})
	if err != nil {
		return switchboard.EventType{}, err
	}
	return changed, nil
}

// lockEventType reads the stored event type, and prevents changes by others. If nothing is stored,
// it first stores the one that came with Switchboard: a missing row cannot be locked, and one of
// two first changes would be lost.
func (s *Store) lockEventType(ctx context.Context, tx transaction, base switchboard.EventType) (switchboard.EventType, error) {
	if base.BuiltIn {
		document, err := switchboard.EncodeJSON(base)
		if err != nil {
			return base, err
		}
		if _, err := tx.ExecContext(ctx, `
INSERT INTO event_types (platform, name, document, updated_at) VALUES ($1, $2, $3, $4) ON CONFLICT (platform, name) DO NOTHING`,
			base.Platform, strings.ToLower(base.Name), clean(string(document)), s.now()); err != nil {
			return base, err
		}
	}
	var stored switchboard.EventType
	document, err := storedEventType(ctx, tx, base)
	if errors.Is(err, sql.ErrNoRows) {
		return stored, switchboard.Errorf(switchboard.CodeNotFound, "%s/%s was deleted meanwhile", base.Platform, base.Name)
	}
	if err != nil {
		return stored, err
	}
	if json.Unmarshal([]byte(document), &stored) != nil {
		return stored, &switchboard.Error{Code: switchboard.CodeConflict, Err: switchboard.ErrUnreadable,
			Message: fmt.Sprintf("what is stored of %s/%s cannot be read: replace it by PUT, or delete it", base.Platform, base.Name)}
	}
	return stored, nil
}

func (s *Store) putEventType(ctx context.Context, tx transaction, caller switchboard.Caller, verb switchboard.AuditVerb, before, t switchboard.EventType) error {
	document, err := switchboard.EncodeJSON(t)
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, `
INSERT INTO event_types (platform, name, document, updated_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (platform, name) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at`,
		t.Platform, strings.ToLower(t.Name), clean(string(document)), s.now()); err != nil {
		return err
	}
	changed, err := switchboard.EventTypeChanges(before, t)
	if err != nil {
		return err
	}
	return s.audit(ctx, tx, caller, eventTypeEntry(t.Platform, t.Name, verb, changed))
}

// eventTypeEntry is the entry of the audit for a change of an event type, which has no tenant.
func eventTypeEntry(platform, name string, verb switchboard.AuditVerb, changed switchboard.AuditChanges) switchboard.AuditEntry {
	return switchboard.AuditEntry{Verb: verb, Kind: switchboard.AuditEventType, Object: platform + "/" + name, Changed: changed}
}

func ownsEventTypes(caller switchboard.Caller) error {
	if caller.Tenant == "" {
		return nil
	}
	return switchboard.Errorf(switchboard.CodeForbidden, "all tenants share event types: this key is bound to one tenant")
}

// DeleteEventType removes an event type that was added at run time, or the changes to one that came
// with Switchboard. If there is neither, it returns NotFound.
func (s *Store) DeleteEventType(ctx context.Context, caller switchboard.Caller, platform, name string) error {
	if err := ownsEventTypes(caller); err != nil {
		return err
	}
	return s.tx(ctx, "delete event type", func(ctx context.Context, tx transaction) error {
		deleted, err := affected(tx.ExecContext(ctx, "DELETE FROM event_types WHERE platform = $1 AND name = $2", platform, strings.ToLower(name)))
		if err == nil && deleted == 0 {
			return switchboard.Errorf(switchboard.CodeNotFound, "nothing was added to or changed in %s/%s", platform, name)
		}
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, caller, eventTypeEntry(platform, name, switchboard.AuditDelete, nil))
	})
}
