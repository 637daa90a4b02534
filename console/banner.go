package console

import (
	"github.com/seed-49a43567/switchboard/client"
)

// banner is what every page says about the system as a whole; empty: all is well.
type banner struct {
	Missing []client.Missing // what the process lacks
	Overdue int              // deliveries for which nothing happened in time
}

// banner serves only the banner, for pages that stay open.
func (c *Console) banner(v *visit) (answer, error) {
	return answer{template: errorTemplate, block: "banner", data: v.readBanner()}, nil
}

// readBanner reads the state of the system. If it cannot, the page is still shown.
func (v *visit) readBanner() banner {
	var shown banner
	if v.session.Portal {
		return shown // they may not see it
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
