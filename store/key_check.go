package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lib/pq"
)

// checkedText is the plain text of a key's check value.
const checkedText = "switchboard"

// checkValueData is the associated data of a key's check value.
func checkValueData(keyID string) string { return "encryption_keys/" + keyID }

// KeyError says that the encryption keys of this process are not those of the database. It has ids
// and no bytes.
type KeyError struct{ message string }

func (e *KeyError) Error() string { return KeyringVariable + ": " + e.message }

// maxSampled is how many rows are tried for a key without a check value. One row that it opens
// proves the key; a damaged row proves nothing.
const maxSampled = 50

// CheckKeys compares the keyring with the database. Each key must open the check value of its id.
// The keyring must have each id that rows in use were encrypted with, except those that the
// operator declared lost. A key without a check value gets one, unless rows were encrypted under
// its id and it opens none of them. A [KeyError] says what to do.
func (s *Store) CheckKeys(ctx context.Context, lost ...string) error {
	if s.keys == nil {
		return &KeyError{"is not set"}
	}
	values, err := s.checkValues(ctx)
	if err != nil {
		return err
	}
	for _, key := range s.keys.keys {
		if _, known := values[key.id]; known {
			continue
		}
		if err := s.addCheckValue(ctx, key.id); err != nil {
			return err
		}
		// Another process may have added a value first, for a different key with that id.
		if values, err = s.checkValues(ctx); err != nil {
			return err
		}
	}
	for _, key := range s.keys.keys {
		if _, err := s.keys.open(key.id, values[key.id], checkValueData(key.id)); err != nil {
			return wrongKey(key.id)
		}
	}
	used, err := s.keysInUse(ctx)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(used, func(id string) bool { return s.keys.find(id) != nil || slices.Contains(lost, id) })
	if len(missing) > 0 {
		return &KeyError{fmt.Sprintf("lacks the key %s, which rows are encrypted with: add it behind the first one as %s:… "+
			"(if it is lost for good, name it in SWITCHBOARD_LOST_KEYS: subscriptions that need it are then shown as unreadable)",
			strings.Join(missing, ", "), missing[0])}
	}
	return nil
}

// wrongKey is the error of a key that does not open data that were encrypted under its id.
func wrongKey(id string) error {
	return &KeyError{fmt.Sprintf("the key %s has other bytes than the one that this database's rows are encrypted with under that id: "+
		"give the bytes that were used before, or the new key an id of its own, with the old one after it", id)}
}

// checkValues returns the check values of all keys that were ever used, by id.
func (s *Store) checkValues(ctx context.Context) (map[string][]byte, error) {
	var rows []struct {
		ID         string
		CheckValue []byte
	}
	if err := s.list(ctx, "read check values", &rows, "SELECT id, check_value FROM encryption_keys"); err != nil {
		return nil, err
	}
	values := make(map[string][]byte, len(rows))
	for _, r := range rows {
		values[r.ID] = r.CheckValue
	}
	return values, nil
}

// addCheckValue adds the check value of a key that has none.
func (s *Store) addCheckValue(ctx context.Context, id string) error {
	switch proven, err := s.opensSamples(ctx, id); {
	case err != nil:
		return err
	case !proven:
		return wrongKey(id)
	}
	value := s.keys.find(id).Seal(nil, nil, []byte(checkedText), []byte(checkValueData(id))) //nolint:gosec // this AEAD makes its nonces itself
	_, err := s.exec(ctx, "add check value", "INSERT INTO encryption_keys (id, check_value, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
		id, value, s.now())
	return err
}

// opensSamples reports whether the key opens one of the rows that were encrypted under its id, or
// there are no such rows.
func (s *Store) opensSamples(ctx context.Context, id string) (bool, error) {
	var rows []struct {
		ID         string
		Ciphertext []byte
	}
	err := s.list(ctx, "check encryption key", &rows, `
SELECT id, headers_ciphertext AS ciphertext FROM subscriptions WHERE headers_key_id = $1 ORDER BY id DESC LIMIT $2`, id, maxSampled)
	if err != nil {
		return false, err
	}
	for _, r := range rows {
		if _, err := s.keys.open(id, r.Ciphertext, headersData(r.ID)); err == nil {
			return true, nil
		}
	}
	return len(rows) == 0, nil
}

// keysInUse returns the ids of the keys that decrypt rows in use.
func (s *Store) keysInUse(ctx context.Context) ([]string, error) {
	var ids pq.StringArray
	err := s.get(ctx, "list encryption keys in use", &ids, nil, `
SELECT coalesce(array_agg(DISTINCT id ORDER BY id), '{}') FROM (
	SELECT headers_key_id AS id FROM subscriptions WHERE deleted_at IS NULL
	UNION SELECT private_key_id FROM subscriptions WHERE deleted_at IS NULL AND private_key_id <> ''
	UNION SELECT k.key_id FROM subscription_secrets k JOIN subscriptions s ON s.id = k.subscription_id
		WHERE s.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $1)) AS used`, s.now())
	return ids, err
}
