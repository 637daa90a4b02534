package console

import (
	"github.com/seed-49a43567/switchboard/client"
)

// banner is what every page says about the system as a whole; empty: all is well.
type banner struct {
	Missing []client.Missing // what the process lacks
	Overdue int              // deliveries for which nothing happened in time
}

// banner serves the banner alone, for pages that stay open.
func (c *Console) banner(v *visit) (answer, error) {
	return answer{template: errorTemplate, block: "banner", data: v.readBanner()}, nil
}

// readBanner asks how the system is. That it cannot be asked is no reason not to show a page.
func (v *visit) readBanner() banner {
	var shown banner
	if v.session.Portal {
		return shown // it is not theirs
	}
	health, _ := v.api.Ready(v.request.Context())
	for _, m := range health.Missing {
		if m.Name == "temporal" {
			shown.Missing = append(shown.Missing, m)
		}
	}
	if staff.includes(&v.session) {
		if now, err := v.api.GetStatsNow(v.request.Context(), ""); err == nil {
			shown.Overdue = now.Overdue
		}
	}
	return shown
}
