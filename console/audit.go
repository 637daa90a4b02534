package console

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
)

func (c *Console) auditRoutes() []route {
	return []route{
		{"GET /console/audit", auditors, c.audit},
		{"GET /console/audit/file", auditors, c.auditFile},
	}
}

// maxAuditFile limits the rows in a file of the audit.
const maxAuditFile = 10_000

// auditPage lists changes.
type auditPage struct {
	Filter auditForm
	Rows   []auditRow
	Chips  []filterChip
	Empty  *emptyState
	Pager  pager
	File   string
	Newest bool // the first page, which updates itself
}

// auditForm is the filter as it was typed.
type auditForm struct {
	switchboard.AuditFilter
	Verbs  []switchboard.AuditVerb
	Kinds  []switchboard.AuditKind
	Portal bool // the tenant cannot be chosen
}

// auditRow is an entry in the form for the page.
type auditRow struct {
	switchboard.AuditEntry
	Who      string
	Verified bool
	Says     bool   // the person named themselves
	By       string // the key, as its name and id, or what else acted
	Link     string // to the object; empty: no page
	Changes  []string
}

// auditFilter reads the filter from the address, which may also have the other names.
func auditFilter(v *visit, others ...string) (switchboard.AuditFilter, error) {
	if err := v.checkQuery(append([]string{"tenant", "object", "actor", "person", "verb", "kind", "after", "before"}, others...)...); err != nil {
		return switchboard.AuditFilter{}, err
	}
	query := v.request.URL.Query()
	f := switchboard.AuditFilter{
		Tenant: query.Get("tenant"), Object: query.Get("object"), Actor: query.Get("actor"), Person: query.Get("person"),
		Verb: switchboard.AuditVerb(query.Get("verb")), Kind: switchboard.AuditKind(query.Get("kind")),
	}
	for name, at := range map[string]*time.Time{"after": &f.After, "before": &f.Before} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		parsed, err := timeOfForm(text)
		if err != nil {
			return f, switchboard.InvalidField(name, "must be a time such as 2027-01-31T12:00:00Z")
		}
		*at = parsed
	}
	return f, nil
}

// timeOfForm parses a time in the API's format, or a date or a time without a zone, which is UTC.
func timeOfForm(text string) (at time.Time, err error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if at, err = time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return at, err
}

func (c *Console) audit(v *visit) (answer, error) {
	filter, err := auditFilter(v, "cursor")
	if err != nil {
		return answer{}, err
	}
	cursor := v.request.URL.Query().Get("cursor")
	found, err := v.api.ListActions(v.request.Context(), filter, switchboard.PageRequest{Cursor: cursor})
	if err != nil {
		return answer{}, err
	}
	return page("audit", "Audit", newAuditPage(found, filter, cursor, v.session.Portal)), nil
}

func newAuditPage(found switchboard.Page[switchboard.AuditEntry], filter switchboard.AuditFilter, cursor string, portal bool) auditPage {
	p := auditPage{
		Filter: auditForm{filter, switchboard.AuditVerbs(), switchboard.AuditKinds(), portal},
		File:   linkAuditFile(filter), Newest: cursor == "", Chips: auditChips(filter),
	}
	for _, e := range found.Items {
		p.Rows = append(p.Rows, auditRowOf(e))
	}
	if found.NextCursor != "" {
		query := auditParameters(filter)
		query.Set("cursor", found.NextCursor)
		p.Pager.Older = address(query, "audit")
	}
	if cursor != "" {
		p.Pager.First = linkAudit(filter)
	}
	switch {
	case len(p.Rows) > 0:
	case len(p.Chips) > 0:
		p.Empty = &emptyState{Kind: "match", Text: "Nothing matches.", Chips: p.Chips}
	default:
		p.Empty = &emptyState{Kind: "none", Text: "There were no changes in the last 400 days."}
	}
	return p
}

// auditChips are the filters, each of which can be removed.
func auditChips(f switchboard.AuditFilter) []filterChip {
	var chips []filterChip
	all := auditParameters(f)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		rest := maps.Clone(all)
		delete(rest, name)
		chips = append(chips, filterChip{name + ": " + all.Get(name), address(rest, "audit")})
	}
	return chips
}

func auditRowOf(e switchboard.AuditEntry) auditRow {
	row := auditRow{AuditEntry: e, Who: e.Person, Verified: switchboard.IsVerifiedPerson(e.Actor), By: e.Actor, Link: auditLink(&e)}
	row.Says = e.Person != "" && !row.Verified
	if row.Verified {
		row.By = ""
	}
	if e.ActorName != "" {
		row.By = e.ActorName + " (" + short(e.Actor) + ")"
	}
	for _, name := range slices.Sorted(maps.Keys(e.Changed)) {
		row.Changes = append(row.Changes, changeInWords(name, e.Changed[name]))
	}
	return row
}

// changeInWords writes a change as "timeout: "10s" → "5s"".
func changeInWords(name string, change switchboard.AuditChange) string {
	part := func(value json.RawMessage) string {
		if len(value) == 0 {
			return "none"
		}
		return string(value)
	}
	switch {
	case change.Hidden && len(change.Before) == 0 && len(change.After) == 0:
		return name + " has changed; old and new values are not stored"
	case change.Hidden:
		return name + ": " + part(change.Before) + " → " + part(change.After) + " (in part)"
	}
	return name + ": " + part(change.Before) + " → " + part(change.After)
}

// auditLink leads to the page of an entry's object.
func auditLink(e *switchboard.AuditEntry) string {
	switch e.Kind {
	case switchboard.AuditDelivery:
		return linkDelivery(e.Object)
	case switchboard.AuditSubscription:
		return linkSubscription(e.Object)
	case switchboard.AuditOperation:
		return linkOperation(e.Object)
	case switchboard.AuditEvent:
		if e.Object != "" {
			return linkEvent(e.Object, e.Tenant)
		}
	case switchboard.AuditEventType:
		if platform, name, ok := strings.Cut(e.Object, "/"); ok {
			return linkEventType(platform, name)
		}
	}
	return ""
}

// auditFile returns the matches as CSV, for a spreadsheet.
func (c *Console) auditFile(v *visit) (answer, error) {
	filter, err := auditFilter(v)
	if err != nil {
		return answer{}, err
	}
	var text bytes.Buffer
	out := csv.NewWriter(&text)
	_ = out.Write([]string{"at", "person", "verified", "actor", "actor_name", "role", "verb", "kind", "object", "tenant", "reason", "origin", "address", "request_id", "changed"})
	rows := 0
	asked := switchboard.PageRequest{Limit: switchboard.MaxPage}
	for rows < maxAuditFile {
		found, err := v.api.ListActions(v.request.Context(), filter, asked)
		if err != nil {
			return answer{}, err
		}
		for _, e := range found.Items[:min(len(found.Items), maxAuditFile-rows)] {
			_ = out.Write(auditRecord(&e)) // writing to a buffer cannot fail
		}
		rows += len(found.Items)
		if asked.Cursor = found.NextCursor; asked.Cursor == "" {
			break
		}
	}
	out.Flush()
	return download("audit.csv", &text), out.Error()
}

func auditRecord(e *switchboard.AuditEntry) []string {
	verified := "no"
	if switchboard.IsVerifiedPerson(e.Actor) {
		verified = "yes"
	}
	changed, err := switchboard.EncodeJSON(e.Changed)
	if err != nil {
		changed = nil
	}
	record := []string{
		e.At.UTC().Format(time.RFC3339), e.Person, verified, e.Actor, e.ActorName, string(e.Role), string(e.Verb), string(e.Kind), e.Object, e.Tenant,
		e.Reason, string(e.Origin), e.Address, e.RequestID, string(changed),
	}
	for i, cell := range record {
		record[i] = plainCell(cell)
	}
	return record
}

// plainCell stops a spreadsheet from reading a text as a formula.
func plainCell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
