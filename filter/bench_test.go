package filter

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed-49a43567/switchboard"
)

// largeEvent has 256 KiB of data: a conversation of 500 messages.
func largeEvent() *switchboard.Event {
	var b strings.Builder
	b.WriteString(`{"ticket":{"channel":"whatsapp","priority":3},"messages":[`)
	for i := range 500 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"author":"agent-%d","text":%q}`, i, i%7, strings.Repeat("lorem ipsum ", 40))
	}
	b.WriteString(`]}`)
	return eventOf(b.String())
}

// The cost of a condition after the event is decoded, which filters share.
func BenchmarkFilter(b *testing.B) {
	e := largeEvent()
	list := strings.TrimSuffix(strings.Repeat(`"none",`, maxIn), ",")
	for name, document := range map[string]string{
		"field":            `{"data":{"ticket":{"channel":"whatsapp"}}}`,
		"number":           `{"data":{"ticket":{"priority":{"$gte":2.5}}}}`,
		"metadata":         `{"metadata":{"type":{"$startsWith":"ticket."}}}`,
		"list, equal":      `{"data":{"messages":{"author":"none"}}}`,
		"list, number":     `{"data":{"messages":{"id":{"$gt":1000}}}}`,
		"list, in of 500":  `{"data":{"messages":{"author":{"$in":[` + list + `]}}}}`,
		"list, deep equal": `{"data":{"messages":{"$eq":{"id":1,"author":"x","text":"y"}}}}`,
		"one text, regex":  `{"data":{"messages":{"id":499,"text":{"$regex":"(?i)refund|chargeback"}}}}`,
	} {
		f, in := mustParse(b, document), NewInput(e)
		f.Verdict(in, NewBudget())
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f.Verdict(in, NewBudget())
			}
		})
	}
	b.Run("decode 256 KiB", func(b *testing.B) {
		f := mustParse(b, `{"data":{"ticket":{"channel":"whatsapp"}}}`)
		b.SetBytes(int64(len(e.Data)))
		for b.Loop() {
			f.Match(e)
		}
	})
	b.Run("decode 1 KiB", func(b *testing.B) {
		f := mustParse(b, `{"data":{"ticket":{"channel":"whatsapp"}}}`)
		small := eventOf(`{"ticket":{"channel":"whatsapp","priority":3,"subject":"x","tags":["a","b"],"text":"` + strings.Repeat("a", 900) + `"}}`)
		for b.Loop() {
			f.Match(small)
		}
	})
}
