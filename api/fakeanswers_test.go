package api

import (
	"context"
	"time"

	"github.com/seed-49a43567/switchboard"
	"github.com/seed-49a43567/switchboard/webhook"
)

// fakeAnswers has an answer for each delivery, or none: then it waits for it until
// its context ends.
type fakeAnswers struct {
	byDelivery map[string]switchboard.DeliveryDetail
	err        error
	waiting    chan struct{} // closed when somebody waits; nil: nobody cares
}

func (f *fakeAnswers) Answer(ctx context.Context, _ switchboard.Caller, deliveryID string) (switchboard.DeliveryDetail, error) {
	found, ok := f.byDelivery[deliveryID]
	if ok || f.err != nil {
		return found, f.err
	}
	if f.waiting != nil {
		close(f.waiting)
	}
	<-ctx.Done()
	return found, ctx.Err()
}

// bytesPreview previews everything as a POST of those bytes.
type bytesPreview string

func (p bytesPreview) Preview(switchboard.LoadedDelivery, time.Time) (webhook.Preview, error) {
	return webhook.Preview{Method: "POST", Headers: map[string]string{}, Body: []byte(p)}, nil
}
