package store

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// RecordFast records with the one statement alone, and returns the deliveries that it has moved,
// by the attempts' ids.
func (s *Store) RecordFast(ctx context.Context, records []switchboard.Record) (map[string]switchboard.Delivery, error) {
	return s.recordFast(ctx, records)
}

// RecordLocked records by the lifecycle alone.
func (s *Store) RecordLocked(ctx context.Context, records []switchboard.Record) error {
	return s.tx(ctx, "record attempts", func(ctx context.Context, tx transaction) error {
		_, err := recordRows(ctx, tx, records)
		return err
	})
}

// SetSearchBudget says how long a list goes on searching.
func (s *Store) SetSearchBudget(budget time.Duration) { s.searchBudget = budget }
