package console

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// pollsOfMinute are the requests of one open tab of the overview in a minute, with their numbers.
var pollsOfMinute = map[string]int{"/console?part=now": 12, "/console?part=failing": 4, "/console?part=work": 6, "/console?part=traffic": 2, "/console/banner?part=banner": 4}

// BenchmarkOverviewTab makes one tab's requests of a minute, one after the other. It reports what
// fifty such tabs take of one core, including Postgres: the limit is 5 % (issue 15).
func BenchmarkOverviewTab(b *testing.B) {
	f := newFixture(b)
	ana := f.as("support", "")
	tags := map[string]string{}
	for b.Loop() {
		for path, times := range pollsOfMinute {
			for range times {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
				r.Header.Set("Cookie", ana.cookie)
				r.Header.Set("HX-PTag", tags[path])
				w := httptest.NewRecorder()
				f.console.ServeHTTP(w, r)
				if w.Code != http.StatusOK && w.Code != http.StatusNotModified {
					b.Fatal(w.Code, w.Body)
				}
				tags[path] = w.Header().Get("HX-PTag")
			}
		}
	}
	minute := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(50*minute.Seconds()/60*100, "%core/50tabs")
}
