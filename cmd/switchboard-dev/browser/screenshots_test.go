package browser

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/demo"
)

// screenshots is the folder that the README's pictures are written to; empty: they are taken, and not kept.
var screenshots = flag.String("screenshots", "", "write the README's pictures of the console to this folder")

// maxPicture is how large a picture of the README may be, in bytes: it is in the repository for good.
const maxPicture = 150_000

// historyTimeout is for some minutes of the demo, and for counting them.
const historyTimeout = 8 * time.Minute

// TestScreenshots takes the README's pictures, of the demo: `make screenshots` keeps them.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	stack.awaitDemo(t)
	if *screenshots != "" {
		awaitFor(t, historyTimeout, "some minutes on the charts", func() bool { return stack.minutes(t) >= 4 })
	}
	delivery := stack.deliveries(t, switchboard.DeliveryFilter{Tenant: demo.Tenant, Failure: switchboard.FailureTLSExpired})[0].ID
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console?last=1h")
	v.awaitText("TLS expired")
	overview := v.picture()
	v.visit("/console/deliveries/" + delivery)
	v.awaitText("certificate")
	for name, picture := range map[string][]byte{"console_overview.png": overview, "console_delivery.png": v.picture()} {
		if len(picture) > maxPicture {
			t.Errorf("%s has %d bytes, %d at most", name, len(picture), maxPicture)
		}
		if *screenshots == "" {
			continue
		}
		must(t, os.MkdirAll(*screenshots, 0o755))
		must(t, os.WriteFile(filepath.Join(*screenshots, name), picture, 0o644))
	}
}

// minutes is how many of the last hour's have attempts on the charts.
func (r *running) minutes(t *testing.T) int {
	t.Helper()
	now := time.Now()
	counted, err := r.api.GetStats(t.Context(), switchboard.TrafficQuery{By: switchboard.TrafficByOutcome, From: now.Add(-time.Hour), To: now, Step: time.Minute})
	must(t, err)
	most := 0
	for _, g := range counted.Groups {
		most = max(most, len(g.Points))
	}
	return most
}
