package switchboard

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answers returns the lines of the table of docs/receiving.md, each with its outcomes.
func answers() []struct {
	words    string
	outcomes []Outcome
} {
	statuses := func(from, to int, but ...int) []Outcome {
		var all []Outcome
		for status := from; status <= to; status++ {
			excepted := false
			for _, b := range but {
				excepted = excepted || b == status
			}
			if !excepted {
				all = append(all, Outcome{StatusCode: status, Failure: FailureOfStatus(status)})
			}
		}
		return all
	}
	with := func(outcomes []Outcome, change func(*Outcome)) []Outcome {
		for i := range outcomes {
			change(&outcomes[i])
		}
		return outcomes
	}
	later := func(o *Outcome) { o.RetryAfter = 2 * time.Minute }
	wish := func(w ReceiverWish) func(*Outcome) { return func(o *Outcome) { o.Wish = w } }
	failures := func(names ...Failure) []Outcome {
		var all []Outcome
		for _, name := range names {
			all = append(all, Outcome{Failure: name})
		}
		return all
	}
	const tooMany, away = http.StatusTooManyRequests, http.StatusServiceUnavailable
	return []struct {
		words    string
		outcomes []Outcome
	}{
		{"`2xx`", statuses(200, 299)},
		{"`3xx`", statuses(300, 399)},
		{"`4xx` but 410 and 429", statuses(400, 499, http.StatusGone, tooMany)},
		{"`410`", statuses(http.StatusGone, http.StatusGone)},
		{"`429`", statuses(tooMany, tooMany)},
		{"`5xx`", statuses(500, 599)},
		{"`429` or `503` with `Retry-After: 120`", with(append(statuses(tooMany, tooMany), statuses(away, away)...), later)},
		{"another `4xx` or `5xx` with `Retry-After: 120`", with(statuses(400, 599, http.StatusGone, tooMany, away), func(o *Outcome) { later(o) })},
		{"`2xx` with `webhook-delivery: disable`", with(statuses(200, 299), wish(WishDisable))},
		{"`4xx` or `5xx` with `webhook-delivery: disable`", with(statuses(400, 599, http.StatusGone), wish(WishDisable))},
		{"`2xx` with `webhook-delivery: abort-message`", with(statuses(200, 299), wish(WishAbortMessage))},
		{"`4xx` or `5xx` with `webhook-delivery: abort-message`", with(statuses(400, 599, http.StatusGone), wish(WishAbortMessage))},
		{"nothing complete within `timeout`", failures(FailureTimeout)},
		{"a connection that is refused, reset or not made", failures(FailureConnectRefused, FailureConnectTimeout, FailureConnect, FailureReset, FailureDNS)},
		{"a certificate that is expired, not trusted or for another name", failures(FailureTLSExpired, FailureTLSUntrusted, FailureTLSName, FailureTLS)},
	}
}

// answered returns the cells of a line: what follows for the delivery, for the other ones of the
// subscription, and whether the breaker counts it as a failure of the endpoint.
func answered(outcomes []Outcome) (cells [3]string, same bool) {
	policy := policies()["defaults"]
	counted := map[EndpointVerdict]string{EndpointWorks: "no", EndpointFails: "yes", EndpointUnknown: "–"}
	for i, o := range outcomes {
		d := Next(policy, Limits{}, "dlv_1", 1, o)
		line := [3]string{string(d.State), "are sent", counted[o.Endpoint()]}
		if d.State == StateRetrying {
			line[0] = "is retried"
			if d.Wait >= 2*time.Minute {
				line[0] = "is retried, not before then"
			}
		} else {
			line[0] = "is " + line[0]
		}
		if d.State == StateFailed {
			line[0] = "has failed"
		}
		switch {
		case o.DisableReason() != "":
			line[1] = "are held: the subscription is disabled"
		case o.Deferral() > 0:
			line[1] = "are held until then"
		}
		if i == 0 {
			cells = line
		} else if cells[0] != line[0] || cells[1] != line[1] {
			return cells, false
		} else if cells[2] != line[2] {
			cells[2] = "as without"
		}
	}
	return cells, len(outcomes) > 0
}

// TestAnswersAreAsDocumented: the receivers' guide says of each response what the code does.
// UPDATE_DOCS=1 writes the table.
func TestAnswersAreAsDocumented(t *testing.T) {
	t.Parallel()
	const document, head = "docs/receiving.md", "| you answer | the delivery | the subscription's others | a failure of the endpoint |\n|---|---|---|---|\n"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), head)
	end := strings.Index(rest, "\n\n")
	if !found || end < 0 {
		t.Fatalf("%s has no table of answers", document)
	}
	var want strings.Builder
	for _, a := range answers() {
		cells, same := answered(a.outcomes)
		if !same {
			t.Errorf("%s: what follows is not the same for all", a.words)
		}
		want.WriteString("| " + a.words + " | " + strings.Join(cells[:], " | ") + " |\n")
	}
	if os.Getenv("UPDATE_DOCS") != "" {
		if err := os.WriteFile(document, []byte(before+head+want.String()+rest[end+1:]), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := rest[:end+1]; got != want.String() {
		t.Errorf("%s (UPDATE_DOCS=1 writes it) has\n%s\nand the code does\n%s", document, got, want.String())
	}
}

// TestReceivingFacts: the numbers of the receivers' guide are those of the code.
func TestReceivingFacts(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/receiving.md")
	if err != nil {
		t.Fatal(err)
	}
	guide := strings.Join(strings.Fields(string(text)), " ")
	policy := policies()["defaults"]
	var waits []string
	for _, wait := range policy.Schedule() {
		if wait == policy.MaximumInterval {
			break
		}
		waits = append(waits, wait.String())
	}
	for _, want := range []string{
		strings.Join(waits, ", ") + ", and then every " + policy.MaximumInterval.String(),
		strconv.Itoa(policy.MaxAttempts) + " attempts over " + policy.Span().String(),
		"lengthened or shortened by up to " + strconv.Itoa(int(jitter*100)) + " %",
		"within " + DefaultTimeout.String() + " (`timeout`, at most " + MaxTimeout.String() + ")",
		"`Retry-After` from " + Duration(MinDeferral).String(),
		"for " + Duration(MaxDeferral).String() + " at most",
		strconv.Itoa(DefaultMaxInFlight) + " requests at the same time (`max_in_flight`)",
		"`" + strings.ToLower(DeliveryHeader) + "`",
	} {
		if !strings.Contains(guide, want) {
			t.Errorf("it does not say %q", want)
		}
	}
}
