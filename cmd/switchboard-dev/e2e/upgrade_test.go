package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestDeployAndBack deploys the current code over the last release, and rolls it back, while events
// are posted and deliveries wait for their next attempts. None is lost, none is stuck, and no
// workflow fails to replay.
func TestDeployAndBack(t *testing.T) {
	t.Parallel()
	waiting, interval := 50, "4s" // a hundred of which last for longer than all this
	if fullSize() {
		waiting, interval = 500, "10s"
	}
	d := newDeployment(t)
	before, present := d.process(lastRelease.path(t)), d.process(built.path(t))
	before.mustRunCommand("migrate")
	d.key = before.newAdminKey()
	before.start()
	d.balancer.passTo(before)

	ill, well := newRecoveringReceiver(t)
	steady := newReceiver(t, 200)
	d.subscribe(ill.URL, fields{"events": []string{"waiting"}, "max_in_flight": 100, "breaker": fields{"mode": "off"},
		"retry": fields{"initial_interval": interval, "backoff_coefficient": 1, "maximum_interval": interval, "maximum_attempts": 100}})
	d.subscribe(steady.URL, fields{"events": []string{"ticket.*"}})
	posting := d.postSteadily()
	posted := d.postWaiting(waiting)
	await(t, "all wait for the next attempt", func() bool { return d.count("retrying") == waiting })

	if present.schema() > before.schema() {
		said, err := present.runCommand("serve")
		if err == nil || !strings.Contains(said, "run `switchboard migrate`") {
			t.Errorf("the present binary on the schema of the last release: %v, %s", err, said)
		}
	}
	present.mustRunCommand("migrate")
	d.expandSchema()
	await(t, "the last release goes on, and says that the schema is newer", func() bool {
		a := before.call(http.MethodGet, "/readyz", nil)
		return a.status == http.StatusOK && strings.Contains(string(a.body), "degraded")
	})
	present.start()
	d.balancer.passTo(present, before)
	before.stopGracefully()
	d.balancer.passTo(present)
	d.awaitAttempts(ill, posted)
	posted = append(posted, d.postWaiting(waiting)...)
	await(t, "all wait for the next attempt", func() bool { return d.count("retrying") == len(posted) })

	again := d.process(lastRelease.path(t))
	again.mustRunCommand("migrate") // like a pipeline that rolls back
	again.start()
	d.balancer.passTo(again, present)
	present.stopGracefully()
	d.balancer.passTo(again)
	d.awaitAttempts(ill, posted)
	accepted := posting.stop()
	well()
	awaitFor(t, loadTimeout, "nothing open", func() bool { return d.count("pending,retrying,held,blocked") == 0 })

	if n := d.count("delivered"); n != len(accepted.accepted)+len(posted) {
		t.Errorf("%d delivered of %d and %d", n, len(accepted.accepted), len(posted))
	}
	if duplicates := accepted.checkDelivered(steady); duplicates > 0 {
		t.Errorf("%d sent twice", duplicates)
	}
	requests := requestsByID(ill)
	for _, id := range posted {
		found := d.delivery(id)
		checkAttempts(t, found)
		if requests[id] != len(found.Attempts) {
			t.Errorf("%s: %d requests and %d attempts", id, requests[id], len(found.Attempts))
		}
	}
	d.awaitNothingOpen()
	again.stopGracefully()
	d.wantVerified()
	t.Logf("%d deliveries in backoff and %d others, through a deploy and back", len(posted), len(accepted.accepted))
}

// TestPresentBinaryNeedsItsSchema: with an older schema it says what to do, and changes nothing.
func TestPresentBinaryNeedsItsSchema(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	if _, err := p.database().Exec("DELETE FROM switchboard_migrations WHERE version_id = (SELECT max(version_id) FROM switchboard_migrations)"); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "api", "worker"} {
		said, err := p.runCommand(command)
		if err == nil || !strings.Contains(said, "run `switchboard migrate`") || !strings.Contains(said, fmt.Sprint(p.schema())) {
			t.Errorf("%s on an older schema: %v, %s", command, err, said)
		}
	}
}
