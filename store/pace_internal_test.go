package store

import "testing"

// TestRoomBeside: the room that the unsent deliveries of an operation leave for more.
func TestRoomBeside(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		unsent []unsentOf
		want   int
	}{
		"nothing was dated":           {nil, 100},
		"nothing is unsent":           {[]unsentOf{{50, 0}}, 150},
		"as many as in flight":        {[]unsentOf{{50, 50}}, 100},
		"more than in flight":         {[]unsentOf{{50, 120}}, 30},
		"as many as may be":           {[]unsentOf{{50, 150}}, 0},
		"one is full, another is not": {[]unsentOf{{50, 400}, {50, 10}}, 40},
		"many of many":                {[]unsentOf{{16, 10}, {16, 10}, {16, 10}}, 118},
		"all that the step has read":  {[]unsentOf{{50, 500}, {50, 0}, {50, 500}}, 0},
		"nearly all that it has read": {[]unsentOf{{50, 500}, {50, 0}, {50, 480}}, 20},
	} {
		if got := roomBeside(c.unsent, 100); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
