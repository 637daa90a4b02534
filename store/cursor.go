package store

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

// position is where a page ended. The next page begins after it.
type position struct {
	At     time.Time `json:"at,omitzero"`
	ID     string    `json:"id"`
	Tenant string    `json:"tenant,omitempty"`
}

// cursors seals and opens the cursors of one list as one caller filters it. A cursor tells nothing
// about the rows, cannot be forged, and is valid for no other list.
type cursors struct {
	keys   *Keyring
	name   string // of the list
	caller switchboard.Caller
	filter any
}

// associatedData is the associated data of a cursor: its list, caller and filter.
func (c cursors) associatedData() (string, error) {
	filter, err := json.Marshal(c.filter)
	return fmt.Sprintf("cursor/%s/%q/%s", c.name, c.caller.Tenant, filter), err
}

func (c cursors) encode(p position) (string, error) {
	data, err := c.associatedData()
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	keyID, sealed, err := c.keys.seal(plain, data)
	return base64.RawURLEncoding.EncodeToString(append([]byte(keyID+":"), sealed...)), err
}

// decode reads a cursor; an empty one has no position.
func (c cursors) decode(cursor string) (*position, error) {
	if cursor == "" {
		return nil, nil
	}
	data, err := c.associatedData()
	if err != nil {
		return nil, err
	}
	bad := switchboard.InvalidField("cursor", "is not one that this list with these filters gave")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil {
		return nil, bad
	}
	keyID, sealed, _ := strings.Cut(string(raw), ":")
	plain, err := c.keys.open(keyID, []byte(sealed), data)
	if err != nil {
		return nil, bad
	}
	p := &position{}
	return p, json.Unmarshal(plain, p)
}

// open reads the request for a page: how many items it may have, and the position that it begins
// after; nil: it is the first page.
func (c cursors) open(p switchboard.PageRequest) (limit int, after *position, err error) {
	if p.Limit < 0 || p.Limit > switchboard.MaxPage {
		return 0, nil, switchboard.InvalidField("limit", "must be from 1 to %d", switchboard.MaxPage)
	}
	after, err = c.decode(p.Cursor)
	return cmp.Or(p.Limit, switchboard.DefaultPage), after, err
}
