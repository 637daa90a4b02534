package console

import "github.com/seed-49a43567/switchboard"

func (c *Console) overviewRoutes() []route {
	return []route{
		{"GET /console", readers, c.overview},
		{"GET /console/{$}", readers, func(*visit) (answer, error) { return redirect(Root), nil }},
	}
}

// overviewPage is how the system is as a whole.
type overviewPage struct {
	Now switchboard.OpenStatus
}

// overview shows how the system is. It is for staff: others begin with their subscriptions.
func (c *Console) overview(v *visit) (answer, error) {
	if !staff.includes(&v.session) {
		return redirect(linkSubscriptions("", "")), nil
	}
	now, err := v.api.GetStatsNow(v.request.Context(), "")
	if err != nil {
		return answer{}, err
	}
	return page("overview", "Overview", overviewPage{now}), nil
}
