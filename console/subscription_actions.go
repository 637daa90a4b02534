package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
)

func (c *Console) subscriptionActionRoutes() []route {
	pausers := editors | supporters
	var routes []route
	for _, r := range []struct {
		action string
		who    who
	}{{"pause", pausers}, {"resume", pausers}, {"disable", editors}, {"enable", editors}, {"delete", editors}, {"verify", editors}, {"rotate", editors}} {
		routes = append(routes,
			route{"GET /console/subscriptions/{id}/" + r.action, r.who, func(v *visit) (answer, error) { return c.subscriptionActionForm(v, r.action) }},
			route{"POST /console/subscriptions/{id}/" + r.action, r.who, func(v *visit) (answer, error) { return c.subscriptionAction(v, r.action) }})
	}
	return routes
}

// subscriptionActionPage asks for confirmation of an action on a subscription.
type subscriptionActionPage struct {
	Sub       client.Subscription
	Action    string
	Title     string
	Address   string
	Back      string
	AskReason bool
	Reason    reasonField
	Refused   string // why the action does not apply; empty: it does
	Release   *releasePlan
	Open      *switchboard.Count // for a deletion: what it cancels
	Grace     string             // for a rotation
	Revoke    bool
	Faults    []fieldFault
}

// releasePlan is what follows the end of a pause.
type releasePlan struct {
	Held     switchboard.Count
	Oldest   *time.Time
	Rate     int // per second
	InFlight int
	Takes    time.Duration // approximate; zero: nothing is held
}

// releasePlanOf says what is released with the subscription, and how long that takes. The slowest
// of these decides: the release itself, the rate limit, and the number of requests in flight.
func releasePlanOf(sub *client.Subscription) *releasePlan {
	plan := &releasePlan{Rate: sub.ReleaseRate, InFlight: sub.MaxInFlight}
	if sub.Health == nil {
		return plan
	}
	held := sub.Health.Held
	plan.Held, plan.Oldest = switchboard.Count{Value: held.Count, More: held.More}, held.Since
	seconds := float64(held.Count) / float64(max(plan.Rate, 1))
	if limit := sub.RateLimit.PerSecond; limit > 0 {
		seconds = max(seconds, float64(held.Count)/limit)
	}
	if sub.Activity != nil {
		seconds = max(seconds, float64(held.Count)*float64(sub.Activity.Attempts.P50)/1000/float64(max(plan.InFlight, 1)))
	}
	plan.Takes = time.Duration(seconds * float64(time.Second)).Round(time.Second)
	if held.Count > 0 {
		plan.Takes = max(plan.Takes, time.Second)
	}
	return plan
}

// actionPageOf is the form of an action.
func actionPageOf(sub client.Subscription, action string) subscriptionActionPage {
	name := map[string]string{"rotate": "Rotate the secret of", "verify": "Verify the address of"}[action]
	if name == "" {
		name = strings.ToUpper(action[:1]) + action[1:]
	}
	shown := subscriptionActionPage{
		Sub: sub, Action: action, Title: name + " " + sub.Name, Address: linkSubscriptionAction(sub.ID, action), Back: linkSubscription(sub.ID),
		AskReason: action != "rotate" && action != "verify", Refused: refusal(&sub, action),
	}
	switch action {
	case "resume", "enable":
		shown.Release = releasePlanOf(&sub)
	case "delete":
		if sub.Activity != nil {
			shown.Open = &sub.Activity.Open
		}
	case "rotate":
		shown.Grace = "24h"
	}
	return shown
}

// refusal says in the API's words why an action does not apply to the subscription now; empty: it
// applies.
func refusal(sub *client.Subscription, action string) string {
	switch action {
	case "pause", "resume", "disable", "enable":
		tried := sub.Subscription
		if err := tried.ChangeState(time.Time{}, switchboard.SubscriptionAction(action), "", ""); err != nil {
			return wordsOf(err)
		}
	case "verify":
		if sub.State != switchboard.SubscriptionUnverified {
			return "the subscription is " + string(sub.State) + ", and only an unverified one can be verified"
		}
	case "rotate":
		if sub.Signature.Scheme == "none" {
			return "the scheme none has no secret"
		}
	}
	return ""
}

func (c *Console) subscriptionActionForm(v *visit, action string) (answer, error) {
	if err := v.checkQuery(); err != nil {
		return answer{}, err
	}
	sub, err := v.api.GetSubscription(v.request.Context(), v.path("id"), client.IncludeHealth)
	if err != nil {
		return answer{}, err
	}
	shown := actionPageOf(sub, action)
	shown.Reason.Last = v.lastReasons()
	return page("subscription_action", shown.Title, shown), nil
}

func (c *Console) subscriptionAction(v *visit, action string) (answer, error) {
	ctx, id := v.request.Context(), v.path("id")
	reason := strings.TrimSpace(v.request.PostFormValue("reason"))
	var sub client.Subscription
	var err error
	switch action {
	case "rotate":
		return c.rotateSecret(v)
	case "verify":
		sub, err = v.api.VerifySubscription(ctx, id, v.once())
	default:
		if fault := reasonFault(reason); fault != "" {
			return actionAgain(v, action, &switchboard.Error{Code: switchboard.CodeInvalid, Field: "reason", Message: fault})
		}
		switch action {
		case "pause":
			sub, err = v.api.PauseSubscription(ctx, id, reason, v.once())
		case "resume":
			sub, err = v.api.ResumeSubscription(ctx, id, reason, v.once())
		case "disable":
			sub, err = v.api.DisableSubscription(ctx, id, reason, v.once())
		case "enable":
			sub, err = v.api.EnableSubscription(ctx, id, reason, v.once())
		case "delete":
			if err = v.api.DeleteSubscription(ctx, id, reason); err == nil {
				return redirect(linkSubscriptions("", "")), nil
			}
		}
	}
	if err != nil {
		return actionAgain(v, action, err)
	}
	return redirect(linkSubscription(sub.ID)), nil
}

// actionAgain shows the form with the typed values, what is wrong with them, and the current state
// of the subscription.
func actionAgain(v *visit, action string, err error) (answer, error) {
	faults, ours := formFaults(err)
	if !ours {
		return answer{}, err
	}
	sub, failed := v.api.GetSubscription(v.request.Context(), v.path("id"), client.IncludeHealth)
	if failed != nil {
		return answer{}, failed
	}
	shown := actionPageOf(sub, action)
	shown.Reason.Value, shown.Reason.Last = v.request.PostFormValue("reason"), v.lastReasons()
	shown.Grace, shown.Revoke = v.request.PostFormValue("grace"), v.request.PostFormValue("revoke_previous") != ""
	shown.Faults = faults
	for _, f := range faults {
		if f.Field == "reason" {
			shown.Reason.Error = f.Text
		}
	}
	code := http.StatusUnprocessableEntity
	if switchboard.CodeOf(err) == switchboard.CodeConflict {
		code = http.StatusConflict
	}
	return page("subscription_action", shown.Title, shown).status(code), nil
}

// rotateSecret shows the new secret only in its answer. The form has the version at the time when
// it was opened. So if it is sent again, for example by reloading the answer, it rotates nothing
// and shows no secret.
func (c *Console) rotateSecret(v *visit) (answer, error) {
	ctx, id := v.request.Context(), v.path("id")
	now, err := v.api.GetSubscription(ctx, id)
	if err != nil {
		return answer{}, err
	}
	if opened := v.request.PostFormValue("version"); opened != strconv.Itoa(now.Version) {
		return actionAgain(v, "rotate", &switchboard.Error{Code: switchboard.CodeConflict, Message: "The subscription has changed since version " + opened + ", which this form shows. " +
			"If you just rotated the secret, it was shown then, and is not shown again"})
	}
	rotation := client.Rotation{RevokePrevious: v.request.PostFormValue("revoke_previous") != ""}
	if text := strings.TrimSpace(v.request.PostFormValue("grace")); text != "" && !rotation.RevokePrevious {
		grace, err := switchboard.ParseDuration(text)
		if err != nil {
			return actionAgain(v, "rotate", &switchboard.Error{Code: switchboard.CodeInvalid, Field: "grace", Message: "must be a duration, such as 24h or 30m"})
		}
		rotation.Grace = new(switchboard.Duration(grace))
	}
	sub, err := v.api.RotateSecret(ctx, id, rotation)
	if err != nil {
		return actionAgain(v, "rotate", err)
	}
	return saved(&sub, "The secret is rotated"), nil
}
