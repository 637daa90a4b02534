package browser

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/client"
	"github.com/seed-49a43567/switchboard/cmd/switchboard-dev/demo"
)

// screenshots is the folder for the README's pictures; empty: they are taken but not stored.
var screenshots = flag.String("screenshots", "", "write the README's pictures of the console to this folder")

// maxPicture limits the size of the README's pictures in bytes, because the repository keeps them
// forever.
const maxPicture = 250_000

// The pictures are taken after that many minutes of the demo. historyTimeout is for these, and for
// counting them.
const (
	historyMinutes = 6
	historyTimeout = 12 * time.Minute
)

// maxHeight is the maximum height of the README's pictures in pixels.
const maxHeight = 1000

// TestScreenshots takes the README's pictures of the demo. `make screenshots` stores them.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	stack := shared.stack(t)
	stack.awaitDemo(t)
	if *screenshots != "" {
		awaitFor(t, historyTimeout, "some minutes on the charts", func() bool { return stack.minutes(t) >= historyMinutes })
	}
	failing := stack.deliveries(t, switchboard.DeliveryFilter{Tenant: demo.Tenant, Failure: switchboard.FailureTLSExpired})
	delivery := slices.MaxFunc(failing, func(a, b client.Delivery) int { return a.AttemptsMade - b.AttemptsMade }).ID
	v := browser.newVisitor(t, stack.url)
	stack.signIn(v, stack.key)
	v.visit("/console?last=1h")
	v.awaitText("TLS expired")
	overview := v.cropped()
	v.visit("/console/deliveries/" + delivery)
	v.awaitText("certificate")
	for name, picture := range map[string][]byte{"console_overview.png": overview, "console_delivery.png": v.cropped()} {
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

// cropped returns a picture of the page up to the end of its content.
func (v *visitor) cropped() []byte {
	v.t.Helper()
	height := evaluate[int64](v, `Math.ceil(document.querySelector("main").getBoundingClientRect().bottom)`)
	v.look(view{width: views[0].width, height: min(height, maxHeight), scheme: views[0].scheme})
	defer v.look(views[0])
	return v.picture()
}

// minutes is how many of the last hour's minutes have attempts on the charts.
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
