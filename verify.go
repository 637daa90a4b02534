package switchboard

// Violation is a promise that a live database or Temporal does not keep. It has the ids of rows and
// none of their content.
type Violation struct {
	Check     string `json:"check"`
	Partition string `json:"partition,omitempty"`
	Subject   string `json:"subject,omitempty"` // the id of the row, or the name of the thing
	Detail    string `json:"detail,omitempty"`
}

// VerifyReport is what `switchboard verify` found.
type VerifyReport struct {
	Checks     int         `json:"checks"` // made checks, counted for each partition
	Violations []Violation `json:"violations"`
	// Unchecked are the checks that were not completed, because they took too long.
	Unchecked []Violation `json:"unchecked"`
}

// Clean reports whether every promise was checked and is kept.
func (r VerifyReport) Clean() bool { return len(r.Violations) == 0 && len(r.Unchecked) == 0 }
