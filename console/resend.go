package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// resendPage is the form of a resend, which is previewed before it is sent.
type resendPage struct {
	Delivery client.Delivery
	Back     string
	Words    actionWords
	WhyNot   string
	Expect   string
	Moved    string
	Faults   []fieldFault
	Reason   reasonField

	Typed      typedResend
	MayForge   bool // the URL and the body may be changed
	BodyHidden bool // the body is not text, or too long to be edited: the typed text replaces it

	Preview *resendPreviewView // nil: none yet
	Ready   bool               // the typed values are those of the preview: it can be sent
}

// typedResend holds the values typed into the form.
type typedResend struct {
	URL     string
	Headers string // one line for each, as Name: value
	Body    string
	Timeout string

	BodySum   string // of the body in the original form: the same body is not a change
	Previewed string // of all fields at the time of the preview
	Once      string // makes one resend of a form that is sent twice
}

// resendPreviewView shows what would be sent, and the difference from what the subscription sends.
type resendPreviewView struct {
	Request     requestView
	Elsewhere   bool
	Warnings    []string
	Differences []difference
	NotCompared string // why nothing, or not the bodies, are compared; empty: everything is
}

// mayForge reports whether the person may change the URL and body of a resend: such a message is
// the person's own, in the customer's name.
func mayForge(caller switchboard.Caller) bool {
	body := ""
	return caller.CheckResend(&switchboard.Overrides{Body: &body}) == nil
}

func (c *Console) resendForm(v *visit) (answer, error) {
	if err := v.checkQuery(); err != nil {
		return answer{}, err
	}
	form, err := v.resendPageOf()
	if err != nil {
		return answer{}, err
	}
	form.Typed.Once = rand.Text()
	if form.WhyNot == "" && form.MayForge {
		now, err := v.unchanged()
		if err != nil {
			return answer{}, err
		}
		form.fillIn(now)
	}
	return v.showResend(form, http.StatusOK), nil
}

func (v *visit) showResend(form *resendPage, status int) answer {
	return page("resend", "Resend "+short(form.Delivery.ID), form).status(status)
}

// resendPageOf returns the form without typed values.
func (v *visit) resendPageOf() (*resendPage, error) {
	d, err := v.api.GetDelivery(v.request.Context(), v.path("id"))
	if err != nil {
		return nil, err
	}
	return &resendPage{
		Delivery: d, Back: linkDelivery(d.ID), Words: wordsOfAction(switchboard.ActionResend, d.State), WhyNot: whyNot(&d, switchboard.ActionResend),
		Expect: expectText(&d), Reason: reasonField{Last: v.lastReasons()}, MayForge: mayForge(v.session.Caller),
	}, nil
}

// unchanged returns what would be sent now without a change; nil: it cannot be rendered, which a
// change may repair.
func (v *visit) unchanged() (*client.ResendPreview, error) {
	now, err := v.api.PreviewResend(v.request.Context(), v.path("id"), client.ResendChanges{})
	switch {
	case switchboard.CodeOf(err) == switchboard.CodeInvalid:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &now, nil
}

// fillIn puts the body that would be sent into the form; nil: none.
func (p *resendPage) fillIn(now *client.ResendPreview) {
	if now == nil {
		p.BodyHidden, p.Typed.BodySum = true, sumOf("")
		return
	}
	unwritable := func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r", r) } // a form changes these characters
	if p.BodyHidden = now.BodyEncoding != "" || len(now.Body) > bodyLimit || strings.ContainsFunc(now.Body, unwritable); !p.BodyHidden {
		p.Typed.Body = now.Body
	}
	p.Typed.BodySum = sumOf(lines(p.Typed.Body))
}

// resend previews the typed values, and sends them if they are those of the preview.
func (c *Console) resend(v *visit) (answer, error) {
	typed := typedResendOf(v.request)
	changes, faults := typed.changes(mayForge(v.session.Caller))
	if v.request.PostFormValue("do") != "send" || typed.Previewed != typed.sum() {
		return v.previewResend(typed, changes, faults)
	}
	act, more := actOf(v.request.PostFormValue("reason"), v.request.PostFormValue("expect"))
	faults = append(faults, more...)
	var err error
	if len(faults) == 0 {
		var made client.Delivery
		made, err = v.api.ResendDelivery(v.request.Context(), v.path("id"), client.Resend{Act: act, ResendChanges: changes}, client.IdempotencyKey(typed.Once))
		if err == nil {
			return redirect(linkDelivery(made.ID)), nil
		}
	}
	return v.resendAgain(typed, changes, faults, err)
}

// previewResend shows the form with what would be sent.
func (v *visit) previewResend(typed typedResend, changes client.ResendChanges, faults []fieldFault) (answer, error) {
	if len(faults) > 0 {
		return v.resendAgain(typed, changes, faults, nil)
	}
	now, err := v.unchanged()
	if err != nil {
		return v.resendAgain(typed, changes, nil, err)
	}
	changed, err := v.api.PreviewResend(v.request.Context(), v.path("id"), changes)
	if err != nil {
		return v.resendAgain(typed, changes, nil, err)
	}
	form, err := v.resendPageOf()
	if err != nil {
		return answer{}, err
	}
	form.Typed, form.Ready = typed, true
	form.Typed.Previewed = typed.sum()
	form.Reason.Value = v.request.PostFormValue("reason")
	form.Preview = previewViewOf(now, &changed, changes)
	return v.showResend(form, http.StatusOK), nil
}

// resendAgain shows the form with the typed values, and what is wrong with them or how the delivery
// has changed.
func (v *visit) resendAgain(typed typedResend, changes client.ResendChanges, faults []fieldFault, refused error) (answer, error) {
	faults, moved, status := againOf(faults, refused)
	if status == 0 {
		return answer{}, refused
	}
	form, err := v.resendPageOf()
	if err != nil {
		return answer{}, err
	}
	form.Typed, form.Faults, form.Moved = typed, namedAsTyped(faults), moved
	form.Reason.Value, form.Reason.Error = v.request.PostFormValue("reason"), faultOf(faults, "reason")
	form.Ready = typed.Previewed == typed.sum()
	form.BodyHidden = typed.Body == "" && changes.Body == nil
	return v.showResend(form, status), nil
}

// namedAsTyped names the field of all headers for a fault of one header.
func namedAsTyped(faults []fieldFault) []fieldFault {
	for i := range faults {
		if name, is := strings.CutPrefix(faults[i].Field, "headers."); is {
			faults[i] = fieldFault{"headers", name + " " + faults[i].Text}
		}
	}
	return faults
}

func typedResendOf(r *http.Request) typedResend {
	form := r.PostFormValue
	return typedResend{
		URL: strings.TrimSpace(form("url")), Headers: lines(form("headers")), Body: lines(form("body")), Timeout: strings.TrimSpace(form("timeout")),
		BodySum: form("body_sum"), Previewed: form("previewed"), Once: form("once"),
	}
}

// lines normalises line ends: browsers send other line ends in forms than they were given.
func lines(text string) string { return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text) }

func sumOf(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// sum covers all typed values except the reason.
func (t *typedResend) sum() string { return sumOf(t.URL, t.Headers, t.Body, t.Timeout, t.BodySum) }

// changes returns the typed changes in the API's form.
func (t *typedResend) changes(forge bool) (client.ResendChanges, []fieldFault) {
	var changes client.ResendChanges
	var faults []fieldFault
	if forge {
		changes.URL = t.URL
		if t.Body != "" && sumOf(t.Body) != t.BodySum {
			changes.Body = &t.Body
		}
	}
	if t.Timeout != "" {
		timeout, err := time.ParseDuration(t.Timeout)
		if err != nil {
			faults = append(faults, fieldFault{"timeout", "is not a duration such as 20s"})
		}
		limit := switchboard.Duration(timeout)
		changes.Timeout = &limit
	}
	for line := range strings.SplitSeq(t.Headers, "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, is := strings.Cut(line, ":")
		if !is || strings.TrimSpace(name) == "" {
			faults = append(faults, fieldFault{"headers", "needs one line for each header, such as X-Replay: 1"})
			break
		}
		if changes.Headers == nil {
			changes.Headers = map[string]string{}
		}
		changes.Headers[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = strings.TrimSpace(value)
	}
	return changes, faults
}

// previewViewOf compares what a resend would send with what the subscription sends now. nil: the
// latter cannot be rendered.
func previewViewOf(now, changed *client.ResendPreview, changes client.ResendChanges) *resendPreviewView {
	body := bodyOf(changed.Body, changed.BodyEncoding, changed.Redacted, "")
	v := &resendPreviewView{
		Request:   requestView{Method: changed.Method, URL: changed.URL, Headers: headerLines(changed.Headers), Body: body},
		Elsewhere: changed.Elsewhere, Warnings: changed.Warnings,
	}
	if now == nil {
		v.NotCompared = "The request cannot be made without the changes, so they are not compared."
		return v
	}
	if now.URL != changed.URL {
		v.Differences = append(v.Differences, difference{"url", now.URL, changed.URL, "changed"})
	}
	v.Differences = slices.Concat(v.Differences, diffHeaders(now.Headers, changed.Headers))
	if changes.Timeout != nil {
		v.Differences = append(v.Differences, difference{"timeout", "the subscription's", changes.Timeout.String(), "changed"})
	}
	if json.Valid([]byte(now.Body)) && changed.Body != "" && !json.Valid([]byte(changed.Body)) {
		v.Warnings = append(v.Warnings, "the body was JSON, and no longer is")
	}
	switch {
	case changed.Redacted != nil:
		v.NotCompared = "The bodies are neither shown nor compared: that needs the permission read_payload."
	case now.BodyEncoding != "" || changed.BodyEncoding != "":
		v.NotCompared = "The bodies are not text, so they are not compared."
	default:
		v.Differences = slices.Concat(v.Differences, diffBodies(now.Body, changed.Body))
	}
	return v
}
