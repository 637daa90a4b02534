package cli

import (
	"cmp"
	"encoding/json"
	"time"
)

// Version describes a binary, and what it needs of the database.
type Version struct {
	Version    string    `json:"version"`
	Commit     string    `json:"commit,omitempty"` // absent if it was built outside of a repository
	CommitTime time.Time `json:"commit_time,omitzero"`
	Modified   bool      `json:"modified"` // it was built with uncommitted changes
	Schema     int64     `json:"schema"`   // the last migration
	Go         string    `json:"go"`
	Platform   string    `json:"platform"`
}

// PrintVersion prints a version in the format of the flags.
func (s *Session) PrintVersion(v Version) error {
	document, err := json.Marshal(v)
	if err != nil {
		return err
	}
	commit := cmp.Or(v.Commit, "unknown: it was built outside of a repository")
	if v.Modified {
		commit += ", with changes"
	}
	if !v.CommitTime.IsZero() {
		commit += ", " + v.CommitTime.UTC().Format(time.RFC3339)
	}
	return s.print(document, func() {
		s.printf("switchboard %s\ncommit      %s\nschema      %d\ngo          %s\nplatform    %s\n", v.Version, commit, v.Schema, v.Go, v.Platform)
	})
}
