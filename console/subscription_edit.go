package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) subscriptionEditRoutes() []route {
	return []route{
		{"GET /console/subscriptions/new", editors, c.newSubscription},
		{"POST /console/subscriptions/new", editors, c.createSubscription},
		{"GET /console/subscriptions/{id}/edit", editors, c.editSubscription},
		{"POST /console/subscriptions/{id}/edit", editors, c.updateSubscription},
	}
}

// subscriptionForm is the page for a new or changed subscription.
type subscriptionForm struct {
	ID       string // empty: a new one
	Title    string
	Address  string // the address that the form posts to
	Back     string
	Version  int
	Base     string // the original values of the form, as JSON
	Sections []formSection
	Faults   []fieldFault
	Conflict []conflictRow // the subscription has changed meanwhile
	Try      tryFields
	Preview  *client.Preview
	Match    *client.Match
}

// formSection is a part of the form.
type formSection struct {
	Title  string
	Fields []formField
}

// sectionsOf distributes the fields over the sections of the form.
func sectionsOf(fields []formField) []formSection {
	var sections []formSection
	for _, f := range fields {
		title := sectionOf(f.Path)
		if n := len(sections); n == 0 || sections[n-1].Title != title {
			sections = append(sections, formSection{Title: title})
		}
		last := &sections[len(sections)-1]
		last.Fields = append(last.Fields, f)
	}
	return sections
}

func sectionOf(path string) string {
	first, _, _ := strings.Cut(path, ".")
	switch first {
	case "tenant", "name", "profile", "use_case", "events", "filter":
		return "Events"
	case "request":
		return "Request"
	case "signature", "secret":
		return "Signature"
	case "auth":
		return "Authentication"
	case "verification":
		return "Verification"
	case "retry", "timeout", "adaptive":
		return "Retries and timeout"
	case "breaker":
		return "Breaker"
	}
	return "Limits and order"
}

// typedForm holds the typed values.
type typedForm struct {
	texts   map[string]string
	base    map[string]string
	version int
	try     tryFields
	do      string // save, preview or match
}

// readForm parses a form of the fields.
func readForm(r *http.Request, fields []formField) (typedForm, error) {
	typed := typedForm{texts: map[string]string{}, base: map[string]string{}}
	if err := r.ParseForm(); err != nil {
		return typed, switchboard.Errorf(switchboard.CodeInvalid, "the form cannot be read")
	}
	get := func(name string) string { return strings.ReplaceAll(r.PostForm.Get(name), "\r\n", "\n") }
	for _, f := range fields {
		typed.texts[f.Path] = get(f.Path)
	}
	typed.version, _ = strconv.Atoi(get("version"))
	if text := get("base"); text != "" {
		if err := json.Unmarshal([]byte(text), &typed.base); err != nil {
			return typed, switchboard.InvalidField("base", "is not what the form had")
		}
	}
	typed.try = tryFields{EventID: strings.TrimSpace(get("event_id")), Type: strings.TrimSpace(get("try_type")), Data: get("data"), Key: get("try_key")}
	typed.do = get("do")
	return typed, nil
}

// formOf returns the page with the typed values, without secrets, because the person who sees the
// page need not be the one who typed them.
func formOf(fields []formField, typed typedForm, sub *client.Subscription) (subscriptionForm, error) {
	shown := subscriptionForm{Title: "New subscription", Address: linkNewSubscription(), Back: linkSubscriptions("", ""), Version: typed.version, Try: typed.try}
	base, err := json.Marshal(typed.base)
	if err != nil {
		return shown, err
	}
	shown.Base = string(base)
	document, err := subscriptionJSON(sub)
	if err != nil {
		return shown, err
	}
	for i := range fields {
		f := &fields[i]
		f.Value = typed.texts[f.Path]
		if f.Kind == fieldSecret {
			f.Kept = memberOf(document, f.Path) != nil
			if f.Value != "" {
				f.Value, f.Fault = "", "enter it again: secrets are not shown"
			}
		}
	}
	if sub != nil {
		shown.ID, shown.Title = sub.ID, "Edit "+sub.Name
		shown.Address, shown.Back = linkSubscriptionAction(sub.ID, "edit"), linkSubscription(sub.ID)
	}
	shown.Sections = sectionsOf(fields)
	return shown, nil
}

// blame shows faults at their fields. A fault inside a member, such as in one header, is shown at
// the member.
func (p *subscriptionForm) blame(faults []fieldFault) {
	for _, fault := range faults {
		fault.Field = strings.TrimPrefix(fault.Field, "subscription.")
		for i := range p.Sections {
			for j := range p.Sections[i].Fields {
				f := &p.Sections[i].Fields[j]
				part, below := strings.CutPrefix(fault.Field, f.Path+".")
				if fault.Field != f.Path && !below {
					continue
				}
				if f.Fault = fault.Text; below {
					f.Fault = part + " " + fault.Text
					fault = fieldFault{f.Path, f.Fault}
				}
			}
		}
		p.Faults = append(p.Faults, fault)
	}
}

// formFaults returns what is wrong with the typed values, or false if the error is about something
// else.
func formFaults(err error) ([]fieldFault, bool) {
	if answered, ok := errors.AsType[*client.Error](err); ok {
		if answered.Status != http.StatusUnprocessableEntity && answered.Status != http.StatusConflict && answered.Status != http.StatusBadRequest {
			return nil, false
		}
		return faultsOf(answered), true
	}
	if own, ok := errors.AsType[*switchboard.Error](err); ok && own.Code == switchboard.CodeInvalid {
		return []fieldFault{{own.Field, own.Message}}, true
	}
	return nil, false
}

func (c *Console) newSubscription(v *visit) (answer, error) {
	if err := v.checkQuery("tenant"); err != nil {
		return answer{}, err
	}
	fields, err := newFields(v)
	if err != nil {
		return answer{}, err
	}
	tenant := v.request.URL.Query().Get("tenant")
	if bound := v.session.Caller.Tenant; bound != "" {
		tenant = bound
	}
	shown, err := formOf(fields, typedForm{texts: map[string]string{"tenant": tenant}}, nil)
	return page("subscription_edit", shown.Title, shown), err
}

// newFields returns the fields of a new subscription, with the platforms to choose from.
func newFields(v *visit) ([]formField, error) {
	fields := subscriptionFields(true)
	platforms, err := v.api.ListPlatforms(v.request.Context(), switchboard.PageRequest{Limit: switchboard.MaxPage})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(fields, func(f formField) bool { return f.Path == "profile" })
	fields[i].Kind = fieldChoice
	for _, p := range platforms.Items {
		fields[i].Options = append(fields[i].Options, p.Name)
	}
	return fields, nil
}

func (c *Console) createSubscription(v *visit) (answer, error) {
	fields, err := newFields(v)
	if err != nil {
		return answer{}, err
	}
	typed, err := readForm(v.request, fields)
	if err != nil {
		return answer{}, err
	}
	if bound := v.session.Caller.Tenant; bound != "" {
		typed.texts["tenant"] = bound
	}
	document, err := documentOf(fields, typed.texts)
	if err == nil && typed.do != doSave {
		return tryTyped(v, fields, typed, document, nil)
	}
	var made client.Subscription
	if err == nil {
		made, err = v.api.CreateSubscriptionFrom(v.request.Context(), encoded(document), v.once())
	}
	if err != nil {
		return formAgain(fields, typed, nil, err)
	}
	return saved(&made, "The subscription is created"), nil
}

func (c *Console) editSubscription(v *visit) (answer, error) {
	if err := v.checkQuery(); err != nil {
		return answer{}, err
	}
	sub, err := v.api.GetSubscription(v.request.Context(), v.path("id"))
	if err != nil {
		return answer{}, err
	}
	fields := subscriptionFields(false)
	texts, err := textsOf(fields, &sub)
	if err != nil {
		return answer{}, err
	}
	shown, err := formOf(fields, typedForm{texts: texts, base: texts, version: sub.Version}, &sub)
	return page("subscription_edit", shown.Title, shown), err
}

func (c *Console) updateSubscription(v *visit) (answer, error) {
	fields := subscriptionFields(false)
	typed, err := readForm(v.request, fields)
	if err != nil {
		return answer{}, err
	}
	sub, err := v.api.GetSubscription(v.request.Context(), v.path("id"))
	if err != nil {
		return answer{}, err
	}
	if typed.do != doSave {
		document, err := triedDocument(fields, typed.texts, &sub)
		if err != nil {
			return formAgain(fields, typed, &sub, err)
		}
		return tryTyped(v, fields, typed, document, &sub)
	}
	patch, err := patchOf(fields, typed.base, typed.texts)
	if err != nil {
		return formAgain(fields, typed, &sub, err)
	}
	changed, err := v.api.UpdateSubscription(v.request.Context(), sub.ID, typed.version, patch)
	if answered, ok := errors.AsType[*client.Error](err); ok && answered.Status == http.StatusConflict && answered.Field == "version" {
		return showConflict(v, fields, typed)
	}
	if err != nil {
		return formAgain(fields, typed, &sub, err)
	}
	return saved(&changed, "Saved as version "+strconv.Itoa(changed.Version)), nil
}

// showConflict shows the form again after somebody else has changed the subscription. It shows both
// versions side by side, and merges the typed values into what is stored now.
func showConflict(v *visit, fields []formField, typed typedForm) (answer, error) {
	sub, err := v.api.GetSubscription(v.request.Context(), v.path("id"))
	if err != nil {
		return answer{}, err
	}
	stored, err := textsOf(fields, &sub)
	if err != nil {
		return answer{}, err
	}
	opened := typed.version
	var rows []conflictRow
	typed.texts, rows = mergeForms(fields, typed.base, typed.texts, stored)
	typed.base, typed.version = stored, sub.Version
	shown, err := formOf(fields, typed, &sub)
	if err != nil {
		return answer{}, err
	}
	shown.Conflict = rows
	shown.Faults = []fieldFault{{Text: "Somebody else has changed it since version " + strconv.Itoa(opened) + ", which you opened: it is at version " + strconv.Itoa(sub.Version) +
		" now. Both are below; the form has your changes on top of the stored version. Save it again, or go back"}}
	return page("subscription_edit", shown.Title, shown).status(http.StatusConflict), nil
}

// formAgain shows the form with the typed values, and what is wrong with them.
func formAgain(fields []formField, typed typedForm, sub *client.Subscription, err error) (answer, error) {
	faults, ours := formFaults(err)
	if !ours {
		return answer{}, err
	}
	shown, failed := formOf(fields, typed, sub)
	if failed != nil {
		return answer{}, failed
	}
	shown.blame(faults)
	code := http.StatusUnprocessableEntity
	if switchboard.CodeOf(err) == switchboard.CodeConflict {
		code = http.StatusConflict
	}
	return page("subscription_edit", shown.Title, shown).status(code), nil
}

// The functions of the form's buttons.
const (
	doSave    = "save"
	doPreview = "preview"
	doMatch   = "match"
)

// encoded writes a document. The JSON that was typed into it is valid.
func encoded(document client.Patch) json.RawMessage {
	text, _ := switchboard.EncodeJSON(document)
	return text
}

// savedPage is shown once after a change that made a secret, or about which the API warns.
type savedPage struct {
	Title    string
	ID       string
	Name     string
	Secret   string // empty: none was made, or receivers need public keys
	Keys     []string
	Warnings []string
}

// saved leads to the subscription. If the answer to a change has something to show once, it shows
// that first.
func saved(sub *client.Subscription, title string) answer {
	if sub.Secret == "" && len(sub.Warnings) == 0 {
		return redirect(linkSubscription(sub.ID))
	}
	shown := savedPage{Title: title, ID: sub.ID, Name: sub.Name, Secret: sub.Secret.Reveal(), Warnings: sub.Warnings}
	if shown.Secret != "" {
		shown.Keys = sub.Signature.PublicKeys
	}
	return page("subscription_saved", title, shown)
}
