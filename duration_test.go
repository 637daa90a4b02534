package switchboard

import (
	"encoding/json"
	"testing"
	"time"
)

func TestDurationInJSON(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		`"5s"`: 5 * time.Second, `"1h30m"`: 90 * time.Minute, `"250ms"`: 250 * time.Millisecond, `"-1s"`: -time.Second, `"0"`: 0, `"1.5h"`: 90 * time.Minute,
		`"90d"`:     90 * 24 * time.Hour,
		`"1d12h"`:   36 * time.Hour,
		`"0d"`:      0,
		`"7d30m5s"`: 7*24*time.Hour + 30*time.Minute + 5*time.Second,
	} {
		var got Duration
		if err := json.Unmarshal([]byte(text), &got); err != nil || time.Duration(got) != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
		encoded, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var again Duration
		if err := json.Unmarshal(encoded, &again); err != nil || again != got {
			t.Errorf("%s becomes %s, and then %s, %v", text, encoded, again, err)
		}
	}
	for _, bad := range []string{`5`, `"5"`, `""`, `"5 s"`, `"five"`, `"d"`, `"1.5d"`, `"-1d"`, `"1d-2h"`, `"1d+2h"`, `"1d 2h"`, `"12h1d"`, `"1d2d"`, `"1d2"`, `"70000d"`, `"65535d2000000h"`, `"9999999999h"`, `true`, `{}`} {
		var got Duration
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s is read as %s", bad, got)
		}
	}
	if encoded, err := json.Marshal(struct{ D Duration }{Duration(90 * time.Second)}); err != nil || string(encoded) != `{"D":"1m30s"}` {
		t.Errorf("%s, %v; want 1m30s", encoded, err)
	}
}
