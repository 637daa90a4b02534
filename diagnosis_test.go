package switchboard

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func diagnosedAt() time.Time { return time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC) }

// diagnosable is a delivery in that state for that reason, after attempts with those outcomes.
func diagnosable(state State, reason string, outcomes ...Outcome) *DeliveryDetail {
	now := diagnosedAt()
	sub := subscription()
	sub.SetDefaults()
	sub.ID, sub.Name, sub.Version, sub.CreatedAt, sub.UpdatedAt = "sub_1", "CRM sync", 7, now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	d := Delivery{
		ID: "dlv_1", Tenant: "acme", SubscriptionID: "sub_1", Host: "crm.example.com", State: state, Reason: reason, Generation: 1,
		CreatedAt: now.Add(-time.Hour), AttemptsMade: len(outcomes), BlockedBy: "dlv_0",
	}
	detail := &DeliveryDetail{Subscription: sub}
	for i, o := range outcomes {
		o.Latency = 210 * time.Millisecond
		detail.Attempts = append(detail.Attempts, Attempt{
			DeliveryID: d.ID, Number: i + 1, At: now.Add(time.Duration(i-len(outcomes)) * time.Minute), Timeout: time.Duration(sub.Timeout), MaxAttempts: sub.Retry.MaxAttempts,
			IntervalFactor: 1, SubscriptionVersion: 7, Outcome: o,
		})
	}
	switch {
	case state.HasNextAttempt():
		d.NextAttemptAt = now.Add(time.Minute)
	case state.Parked():
		d.ParkedAt, d.HeldUntil = now.Add(-time.Minute), now.Add(30*24*time.Hour)
	default:
		d.CompletedAt = now
	}
	detail.Delivery = d
	return detail
}

// reasonsDeclared reads the constants that are reasons.
func reasonsDeclared(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "delivery.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			value, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			reasons = append(reasons, value)
		}
		return true
	})
	return reasons
}

// TestEveryFailureAndReasonIsExplained: each has a line that fits any delivery, and every line is
// about an existing one.
func TestEveryFailureAndReasonIsExplained(t *testing.T) {
	t.Parallel()
	reasons := reasonsDeclared(t)
	if len(reasons) < 18 {
		t.Fatalf("only %d reasons were found: %v", len(reasons), reasons)
	}
	for _, f := range Failures() {
		if !slices.ContainsFunc(FailureExplanations(), func(e Explanation) bool { return e.Failure == f && e.Status == 0 && !e.Permanent && !e.Cut }) {
			t.Errorf("%s has no line", f)
		}
	}
	for _, r := range reasons {
		if _, found := explainReason(r, StatePending); !found {
			t.Errorf("%s has no line", r)
		}
	}
	for _, e := range append(FailureExplanations(), ReasonExplanations()...) {
		if e.Failure != "" && !slices.Contains(Failures(), e.Failure) || e.Reason != "" && !slices.Contains(reasons, e.Reason) {
			t.Errorf("%+v is about nothing", e)
		}
		if e.Says == "" || e.Side == "" || e.Advice == "" {
			t.Errorf("%+v is incomplete", e)
		}
	}
}

// TestEveryStateAndFailureIsDiagnosed: for every state, reason and failure, all parts are filled
// in, and no fact is missing.
func TestEveryStateAndFailureIsDiagnosed(t *testing.T) {
	t.Parallel()
	outcomes := []Outcome{{StatusCode: 200}}
	for _, f := range Failures() {
		outcomes = append(outcomes, Outcome{Failure: f, Detail: "the detail"}, Outcome{Failure: f, Permanent: true})
	}
	for _, status := range []int{302, 400, 401, 404, 410, 429, 499, 500, 501, 503} {
		outcomes = append(outcomes, Outcome{Failure: FailureOfStatus(status), StatusCode: status})
	}
	for _, state := range States() {
		for _, o := range outcomes {
			for _, reason := range append(reasonsDeclared(t), o.Reason(), "") {
				for i, detail := range []*DeliveryDetail{diagnosable(state, reason), diagnosable(state, reason, o, o)} {
					got := Diagnose(detail, diagnosedAt())
					what := fmt.Sprintf("%s, %q, %d attempts with %+v: %+v", state, reason, 2*i, o, got)
					if got.Why == "" || got.Side == "" || got.Next.Text == "" || len(got.Next.Because) == 0 {
						t.Fatal("incomplete: " + what)
					}
					if text := got.Why + got.Next.Text + texts(got.Next.Because); strings.ContainsAny(text, "{}") || strings.Contains(text, "%!") {
						t.Fatal("a fact is left out: " + what)
					}
					if (got.Next.At.IsZero()) == state.HasNextAttempt() || !got.Next.At.Equal(detail.Delivery.NextAttemptAt) || (got.Next.Number == 0) != state.Final() {
						t.Fatal("dates: " + what)
					}
					if got.Advice == "" && got.Side != SideNobody || strings.HasPrefix(got.Advice, "Wait") && state == StateFailed && o.Failure != "" && reason == o.Reason() {
						t.Fatal("advice: " + what)
					}
				}
			}
		}
	}
}

// TestWhyNamesTheFacts compares whole sentences.
func TestWhyNamesTheFacts(t *testing.T) {
	t.Parallel()
	down, busy := Outcome{Failure: FailureHTTP5xx, StatusCode: 503}, Outcome{Failure: FailureTimeout, Detail: "no answer within 6s"}
	at := diagnosedAt()
	for _, c := range []struct {
		name   string
		detail *DeliveryDetail
		change func(*DeliveryDetail)
		why    string
		side   Side
	}{
		{"one failure", diagnosable(StateRetrying, "http_503", down), nil, "Attempt 1 failed at 2026-01-31T11:59:00Z: crm.example.com failed with 503 Service Unavailable.", SideReceiver},
		{"three alike", diagnosable(StateRetrying, "http_503", busy, down, down, down), nil, "Attempt 4 failed at 2026-01-31T11:59:00Z: crm.example.com failed with 503 Service Unavailable. 2 attempts before it ended the same way, since 2026-01-31T11:57:00Z.", SideReceiver},
		{"the address", diagnosable(StateRetrying, "connect_refused", Outcome{Failure: FailureConnectRefused, RemoteIP: "203.0.113.7"}), nil, "Attempt 1 failed at 2026-01-31T11:59:00Z: nobody listens at crm.example.com (203.0.113.7).", SideReceiver},
		{"their timeout", diagnosable(StateRetrying, "timeout", busy), nil, "Attempt 1 failed at 2026-01-31T11:59:00Z: crm.example.com gave no complete answer within 10s (no answer within 6s).", SideReceiver},
		{"our timeout", diagnosable(StateRetrying, "timeout", busy), func(d *DeliveryDetail) { d.Attempts[0].Timeout, d.Attempts[0].Load = 6*time.Second, 0.8 },
			"Attempt 1 failed at 2026-01-31T11:59:00Z: crm.example.com gave no complete answer within 6s; load on our workers had shortened the subscription's limit of 10s to that (no answer within 6s).", SideSwitchboard},
		{"credentials", diagnosable(StateRetrying, "http_401", Outcome{Failure: FailureHTTP4xx, StatusCode: 401}), nil,
			"Attempt 1 failed at 2026-01-31T11:59:00Z: crm.example.com refused our credentials with 401 Unauthorized. The subscription was last changed at 2026-01-30T12:00:00Z.", SideSettings},
		{"a secret since", diagnosable(StateRetrying, "http_401", Outcome{Failure: FailureHTTP4xx, StatusCode: 401}), func(d *DeliveryDetail) { d.SecretMadeAt = at.Add(-2 * time.Hour) },
			"Attempt 1 failed at 2026-01-31T11:59:00Z: crm.example.com refused our credentials with 401 Unauthorized. The subscription was last changed at 2026-01-30T12:00:00Z, and its secret at 2026-01-31T10:00:00Z.", SideSettings},
		{"a change since", diagnosable(StateRetrying, "http_404", Outcome{Failure: FailureHTTP4xx, StatusCode: 404}), func(d *DeliveryDetail) { d.Attempts[0].SubscriptionVersion, d.Subscription.UpdatedAt = 6, at },
			"Attempt 1 failed at 2026-01-31T11:59:00Z: crm.example.com has nothing at the path of the URL: 404 Not Found. The subscription has been changed since: from version 6 to 7, at 2026-01-31T12:00:00Z.", SideSettings},
		{"delivered at once", diagnosable(StateDelivered, "", Outcome{StatusCode: 204}), nil, "crm.example.com accepted it in attempt 1 with 204 No Content, at 2026-01-31T11:59:00Z, after 210ms.", SideNobody},
		{"delivered late", diagnosable(StateDelivered, "", down, Outcome{StatusCode: 200}), nil, "crm.example.com accepted it in attempt 2 with 200 OK, at 2026-01-31T11:59:00Z, after 210ms. 1 attempt before had failed.", SideNobody},
		{"not tried", diagnosable(StatePending, ""), nil, "No attempt has been made since it was accepted at 2026-01-31T11:00:00Z.", SideNobody},
		{"not dispatched", diagnosable(StatePending, ""), func(d *DeliveryDetail) {
			d.Delivery.NextAttemptAt, d.Delivery.DispatchAt = at.Add(-time.Minute), at.Add(-time.Minute)
		},
			"It is late: its workflow has not started, because Temporal is away or no worker runs.", SideSwitchboard},
		{"unreadable", diagnosable(StatePending, WaitingForSwitchboard("its subscription cannot be read")), nil, "It is late: it waits for Switchboard: its subscription cannot be read.", SideSwitchboard},
		{"paused", diagnosable(StateHeld, ReasonSubscriptionPaused), func(d *DeliveryDetail) {
			d.Subscription.State, d.Subscription.StateBy, d.Subscription.StateReason, d.Subscription.StateSince = SubscriptionPaused, "Ana", "their wish", at.Add(-time.Hour)
		}, "It is held: the subscription CRM sync is paused since 2026-01-31T11:00:00Z by Ana (their wish).", SideOperator},
		{"breaker", diagnosable(StateHeld, ReasonBreakerOpen, down), func(d *DeliveryDetail) {
			d.Health = Health{Breaker: BreakerOpen, BreakerSince: at.Add(-time.Hour), BreakerReason: "10 attempts in a row failed, the last with http_503"}
		}, "It is held: crm.example.com fails, so its breaker is open since 2026-01-31T11:00:00Z (10 attempts in a row failed, the last with http_503). " +
			"Attempt 1 failed at 2026-01-31T11:59:00Z: crm.example.com failed with 503 Service Unavailable.", SideReceiver},
		{"blocked", diagnosable(StateBlocked, ReasonEarlierDeliveryOpen), nil, "It is blocked: dlv_0, an earlier delivery of the same key, is open.", SideReceiver},
		{"cancelled", diagnosable(StateCancelled, ReasonOperator), func(d *DeliveryDetail) {
			d.Actions = []Action{{At: at, Actor: "key_1", KeyName: "support desk", Person: "Ana", Kind: ActionCancel, Reason: "their wish"}}
		}, "It is cancelled: requested by Ana (support desk) at 2026-01-31T12:00:00Z (their wish).", SideOperator},
	} {
		if c.change != nil {
			c.change(c.detail)
		}
		if got := Diagnose(c.detail, at); got.Why != c.why || got.Side != c.side {
			t.Errorf("%s:\n got %s (%s)\nwant %s (%s)", c.name, got.Why, got.Side, c.why, c.side)
		}
	}
}

// TestReceiverIsQuotedApart: the receiver's words are in no other member, and are only quoted if
// they are text.
func TestReceiverIsQuotedApart(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 300)
	for body, want := range map[string]string{
		"upstream\n connect error": "upstream connect error", "": "", "\xff\xfe": "", "a\x00b": "", long: strings.Repeat("é", longestQuote) + "…",
		strings.Repeat("é", 5000): strings.Repeat("é", longestQuote) + "…", strings.Repeat("x", 799) + "é": strings.Repeat("x", longestQuote) + "…",
	} {
		got := Diagnose(diagnosable(StateRetrying, "http_503", Outcome{Failure: FailureHTTP5xx, StatusCode: http.StatusServiceUnavailable, Response: Response{Body: []byte(body)}}), diagnosedAt())
		if got.ReceiverSaid != want {
			t.Errorf("%q: %q, want %q", body, got.ReceiverSaid, want)
		}
		if want != "" && strings.Contains(got.Why+got.Next.Text+got.Advice, want) {
			t.Errorf("%q is in %+v", want, got)
		}
	}
}

// TestExplanationsAreDocumented: the tables in the document are those of the code.
func TestExplanationsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/failures.md")
	if err != nil {
		t.Fatal(err)
	}
	for heading, table := range map[string][]Explanation{"last failure": FailureExplanations(), "reason": ReasonExplanations()} {
		want := "| " + heading + " | the sentence says | side | advice |\n|---|---|---|---|\n"
		for _, e := range table {
			want += e.documented()
		}
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("docs/failures.md does not have this table:\n%s", want)
		}
	}
}

// documented returns the line of a table in Markdown.
func (e Explanation) documented() string {
	name := "`" + string(e.Failure) + e.Reason + "`"
	if e.Status != 0 {
		name += " " + strconv.Itoa(e.Status)
	}
	for word, is := range map[string]bool{", permanent": e.Permanent, ", limit cut by load": e.Cut, ", " + string(e.State): e.State != ""} {
		if is {
			name += word
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s |\n", name, e.Says, e.Side, e.Advice)
}
