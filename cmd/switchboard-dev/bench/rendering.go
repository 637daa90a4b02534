package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook/render"
)

// rendering is the CPU time for making one request without a signature.
type rendering struct {
	Microseconds map[string]float64 `json:"cpu_us"` // by shape
}

// The shapes of the requests.
const (
	shapeData   = "body data"
	shapeParams = "params with 20 leaves"
	shapeXML    = "XML"
)

// renderingSpan is how long each shape is rendered: long compared with the clock's steps, and
// enough for many garbage collections, whose cost counts too.
const renderingSpan = 2 * time.Second

// measureRendering renders each shape repeatedly in this process.
func (b *bench) measureRendering(ctx context.Context) error {
	r := rendering{Microseconds: map[string]float64{}}
	renderer := render.NewRenderer(nil)
	for shape, work := range renderings() {
		if _, err := renderer.Render(&work.Subscription, []switchboard.Event{work.Event}, time.Now()); err != nil { // it also parses the templates, which are already parsed for most deliveries
			return fmt.Errorf("rendering %s: %w", shape, err)
		}
		before, err := ownCPU()
		if err != nil {
			return err
		}
		count := 0
		for end := time.Now().Add(renderingSpan); time.Now().Before(end) && ctx.Err() == nil; count++ {
			if _, err := renderer.Render(&work.Subscription, []switchboard.Event{work.Event}, time.Now()); err != nil {
				return err
			}
		}
		after, err := ownCPU()
		if err != nil {
			return err
		}
		r.Microseconds[shape] = float64((after - before).Nanoseconds()) / 1000 / float64(max(count, 1))
	}
	b.report.Rendering = &r
	return ctx.Err()
}

// ownCPU returns the CPU time that this process has used.
func ownCPU() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// renderings are deliveries of an event of the usual size, by shape.
func renderings() map[string]switchboard.LoadedDelivery {
	data := `{"ticket":{"id":4711,"status":"open","subject":"It rings"},"contact":{"id":12345678901234567890,"first_name":"Mei","czCol":{"15":"172"}},"text":"`
	data += strings.Repeat("x", eventSize-len(data)-len(`"}`)) + `"}`
	var leaves []string
	for i := range 5 {
		leaves = append(leaves, fmt.Sprintf(`"a%d":"{{ contact.first_name }}","b%d":"{{ contact.id }}","c%d":"Dear {{ contact.first_name | upcase }}",`+
			`"d%d":"{%% if ticket.status == 'open' %%}open{%% else %%}closed{%% endif %%}"`, i, i, i, i))
	}
	make := func(body switchboard.BodyKind, data, contentType string) switchboard.LoadedDelivery {
		work := switchboard.LoadedDelivery{Event: switchboard.Event{ID: "evt_1", Tenant: tenantName(0), Type: "ticket.created", Data: []byte(data), OccurredAt: time.Now()}}
		work.Subscription.Request = switchboard.Request{URL: "https://receiver.example/hook", Body: body, ContentType: contentType}
		work.Subscription.SetDefaults()
		return work
	}
	params := make(switchboard.BodyParams, data, "application/json")
	params.Subscription.Request.Params = json.RawMessage("{" + strings.Join(leaves, ",") + "}")
	return map[string]switchboard.LoadedDelivery{
		shapeData:   make(switchboard.BodyData, data, "application/json"),
		shapeParams: params,
		shapeXML:    make(switchboard.BodyData, strings.Replace(data, `"15"`, `"n15"`, 1), "application/xml"), // an element may not begin with a digit
	}
}
