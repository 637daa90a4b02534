package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

// actionPage is the form of a retry, a cancellation, a hold or a release.
type actionPage struct {
	Delivery client.Delivery
	Back     string
	Words    actionWords
	WhyNot   string // why it is not possible; empty: it is possible
	Expect   string // the delivery's state when the form was made
	Moved    string // how the delivery has changed since; empty: not at all
	Faults   []fieldFault
	Reason   reasonField
	Later    *retryLater // only for a retry
}

// retryLater is the time of a retry.
type retryLater struct {
	Choices []choice
	Date    string // typed, in UTC
}

type choice struct {
	Value  string
	Text   string
	Chosen bool
}

// actionWords are the words for an action.
type actionWords struct {
	Button string
	Title  string
	Does   string // what happens
	Submit string
	Danger bool
	Key    string
}

// wordsOfAction are those of an action on a delivery in that state.
func wordsOfAction(kind switchboard.ActionKind, state switchboard.State) actionWords {
	switch kind {
	case switchboard.ActionRetry:
		w := actionWords{Button: "Retry now…", Title: "Retry", Submit: "Retry", Key: "r", Does: "The next attempt is made now, or at the date that you give. Earlier attempts still count."}
		if state.Final() {
			w.Does = "It starts again, with all attempts that its subscription allows."
		}
		return w
	case switchboard.ActionCancel:
		return actionWords{Button: "Cancel…", Title: "Cancel", Submit: "Cancel the delivery", Danger: true, Key: "c", Does: "The delivery ends, and nothing more is sent. A request under way is aborted; the receiver may already have it."}
	case switchboard.ActionHold:
		return actionWords{Button: "Hold…", Title: "Hold", Submit: "Hold", Does: "Nothing is sent until somebody releases it. The hold ends by itself after a while, and then the delivery fails."}
	case switchboard.ActionRelease:
		return actionWords{Button: "Release…", Title: "Release", Submit: "Release", Does: "The hold ends, and the next attempt is made at once, unless something else also holds the delivery."}
	case switchboard.ActionResend:
		return actionWords{Button: "Resend changed…", Title: "Resend", Submit: "Resend", Does: "A copy is made and sent; this delivery stays as it is."}
	}
	return actionWords{Button: string(kind), Title: string(kind), Submit: string(kind)}
}

// deliveryActionForm shows the form.
func (c *Console) deliveryActionForm(kind switchboard.ActionKind) handler {
	return func(v *visit) (answer, error) {
		if err := v.checkQuery(); err != nil {
			return answer{}, err
		}
		form, err := v.actionPageOf(kind)
		if err != nil {
			return answer{}, err
		}
		return v.showAction(form, http.StatusOK), nil
	}
}

func (v *visit) showAction(form *actionPage, status int) answer {
	return page("delivery_action", form.Words.Title+" "+short(form.Delivery.ID), form).status(status)
}

// actionPageOf returns the empty form for the delivery in its current state.
func (v *visit) actionPageOf(kind switchboard.ActionKind) (*actionPage, error) {
	d, err := v.api.GetDelivery(v.request.Context(), v.path("id"))
	if err != nil {
		return nil, err
	}
	form := &actionPage{
		Delivery: d, Back: linkDelivery(d.ID), Words: wordsOfAction(kind, d.State), WhyNot: whyNot(&d, kind), Expect: expectText(&d), Reason: reasonField{Last: v.lastReasons()},
	}
	if kind == switchboard.ActionRetry {
		form.Later = retryLaterOf("", "")
	}
	return form, nil
}

// whyNot says why the action is not possible; empty: it is possible.
func whyNot(d *client.Delivery, kind switchboard.ActionKind) string {
	for _, offered := range d.Available {
		if offered.Action == kind && !offered.Allowed {
			return offered.WhyNot
		}
	}
	return ""
}

func retryLaterOf(chosen, date string) *retryLater {
	later := &retryLater{Date: date}
	for _, c := range []choice{{Value: "", Text: "now"}, {Value: "15m", Text: "in 15 minutes"}, {Value: "1h", Text: "in an hour"}, {Value: "4h", Text: "in 4 hours"}, {Value: "24h", Text: "in a day"}} {
		c.Chosen = c.Value == chosen
		later.Choices = append(later.Choices, c)
	}
	return later
}

// actOnDelivery performs the action, and leads back to the delivery.
func (c *Console) actOnDelivery(kind switchboard.ActionKind) handler {
	return func(v *visit) (answer, error) {
		id, form := v.path("id"), v.request.PostFormValue
		act, faults := actOf(form("reason"), form("expect"))
		retry := client.Retry{Act: act}
		if kind == switchboard.ActionRetry {
			at, fault := retryAt(form("in"), form("retry_at"), v.now)
			if retry.RetryAt = at; fault != nil {
				faults = append(faults, *fault)
			}
		}
		var err error
		if len(faults) == 0 {
			err = v.act(v.request.Context(), id, kind, retry)
			// The same form has the same key when it is sent again. If it then requests another
			// retry date than at first, the action has already been performed: "in 15 minutes" has
			// become later.
			if err == nil || switchboard.CodeOf(err) == switchboard.CodeKeyReused {
				return redirect(linkDelivery(id)), nil
			}
		}
		return v.actionAgain(kind, faults, err)
	}
}

func (v *visit) act(ctx context.Context, id string, kind switchboard.ActionKind, retry client.Retry) (err error) {
	switch kind {
	case switchboard.ActionRetry:
		_, err = v.api.RetryDelivery(ctx, id, retry, v.once())
	case switchboard.ActionCancel:
		_, err = v.api.CancelDelivery(ctx, id, retry.Act, v.once())
	case switchboard.ActionHold:
		_, err = v.api.HoldDelivery(ctx, id, retry.Act, v.once())
	case switchboard.ActionRelease:
		_, err = v.api.ReleaseDelivery(ctx, id, retry.Act, v.once())
	}
	return err
}

// actionAgain shows the form with the typed values, and what is wrong with them or how the delivery
// has changed since. Any other error is an error page.
func (v *visit) actionAgain(kind switchboard.ActionKind, faults []fieldFault, refused error) (answer, error) {
	faults, moved, status := againOf(faults, refused)
	if status == 0 {
		return answer{}, refused
	}
	form, err := v.actionPageOf(kind)
	if err != nil {
		return answer{}, err
	}
	form.Faults, form.Moved = faults, moved
	form.Reason.Value, form.Reason.Error = v.request.PostFormValue("reason"), faultOf(faults, "reason")
	if form.Later != nil {
		form.Later = retryLaterOf(v.request.PostFormValue("in"), v.request.PostFormValue("retry_at"))
	}
	return v.showAction(form, status), nil
}

// againOf says how a form is shown again after a refusal; status 0: it is not.
func againOf(faults []fieldFault, refused error) (all []fieldFault, moved string, status int) {
	if len(faults) > 0 {
		return faults, "", http.StatusUnprocessableEntity
	}
	answered, is := errors.AsType[*client.Error](refused)
	switch {
	case !is:
		return nil, "", 0
	case answered.Status == http.StatusConflict:
		return nil, answered.Detail, http.StatusConflict
	case answered.Status == http.StatusUnprocessableEntity, answered.Status == http.StatusForbidden && answered.Field != "":
		return faultsOf(answered), "", http.StatusUnprocessableEntity
	}
	return nil, "", 0
}

// faultOf returns what is wrong with a field; empty: nothing.
func faultOf(faults []fieldFault, field string) string {
	for _, f := range faults {
		if f.Field == field {
			return f.Text
		}
	}
	return ""
}

// The lengths of a reason. The maximum is the API's; the minimum stops people from typing a dot.
const (
	minReason = 3
	maxReason = 500
)

// actOf returns the typed values of an action, and what is wrong with them.
func actOf(reason, expect string) (act client.Act, faults []fieldFault) {
	act.Reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(act.Reason); n < minReason || n > maxReason {
		faults = append(faults, fieldFault{"reason", fmt.Sprintf("must have %d to %d letters: it is stored with the action, for later questions", minReason, maxReason)})
	}
	expected, err := parseExpect(expect)
	if err != nil {
		faults = append(faults, fieldFault{"", "The form is not complete. Load it again."})
	}
	act.Expect = expected
	return act, faults
}

// expectText writes the state of a delivery for a form: state.run.attempts.
func expectText(d *client.Delivery) string {
	return fmt.Sprintf("%s.%d.%d", d.State, d.Generation, d.AttemptsMade)
}

func parseExpect(text string) (*client.Expectation, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || !switchboard.State(parts[0]).Valid() {
		return nil, errors.New("no expectation")
	}
	generation, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil, err
	}
	attempts, err := strconv.Atoi(parts[2])
	return &client.Expectation{State: switchboard.State(parts[0]), Generation: generation, Attempts: &attempts}, err
}

// retryAt returns the time of a retry: the typed date, or the chosen delay from now; nil: now.
func retryAt(in, date string, now time.Time) (*time.Time, *fieldFault) {
	if date != "" {
		for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
			if at, err := time.Parse(layout, date); err == nil {
				return &at, nil
			}
		}
		return nil, &fieldFault{"retry_at", "must be a date in UTC, such as 2026-01-31 18:00"}
	}
	if in == "" {
		return nil, nil
	}
	wait, err := time.ParseDuration(in)
	if err != nil || wait <= 0 {
		return nil, &fieldFault{"in", "is not a duration to wait"}
	}
	at := now.Add(wait).UTC().Truncate(time.Second)
	return &at, nil
}
