package switchboard

import (
	"math"
	"time"
)

// Rollups count attempts by minute and hour, because charts would otherwise read each attempt. They
// lack the attempts of the last seconds and, until their hour is over, some that were recorded
// late. Lists of deliveries have all.

const (
	// MinuteTrafficKept is how long counts by the minute are kept.
	MinuteTrafficKept = 48 * time.Hour
	// SubscriptionTrafficKept is how long counts by subscription, tenant and host are kept.
	SubscriptionTrafficKept = 35 * 24 * time.Hour
	// HourTrafficKept is how long counts by the hour are kept.
	HourTrafficKept = 400 * 24 * time.Hour
	// LateAfter is how far from the time of its delivery's id an attempt is late, such as a retry.
	LateAfter = time.Minute
)

// LatencyBounds are the milliseconds by which latencies are counted: each count is up to one of
// them, and one more count is for latencies above the last.
func LatencyBounds() []int {
	return []int{10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000}
}

// Percentile returns the latency in milliseconds that the share of the counted latencies does not
// exceed. counts has one for each of [LatencyBounds] and one more. Between two bounds it
// interpolates. 0: nothing was counted.
func Percentile(counts []int64, share float64) int {
	var total int64
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return 0
	}
	rank, below, lower := share*float64(total), 0.0, 0
	for i, bound := range LatencyBounds() {
		n := float64(counts[i])
		if n > 0 && below+n >= rank {
			return lower + int(math.Ceil(float64(bound-lower)*(rank-below)/n))
		}
		below, lower = below+n, bound
	}
	return lower
}

// TrafficCount counts attempts.
type TrafficCount struct {
	Attempts  int64 `json:"attempts" doc:"Attempts" example:"41200"`
	Succeeded int64 `json:"succeeded" doc:"Attempts with a 2xx response" example:"40460"`
	Failed    int64 `json:"failed" doc:"All other attempts" example:"740"`
	P50       int   `json:"p50_ms" doc:"Median latency in milliseconds, within the width of its histogram bucket" example:"80"`
	P95       int   `json:"p95_ms" doc:"95th percentile of the latency in milliseconds" example:"410"`
}

// TrafficPoint counts the attempts of one step of time.
type TrafficPoint struct {
	At time.Time `json:"at" doc:"When the step begins"`
	TrafficCount
}

// TrafficGroup counts attempts that have something in common.
type TrafficGroup struct {
	Value string `json:"value" doc:"The common value of the group" example:"succeeded"`
	TrafficCount
	Points []TrafficPoint `json:"points" nullable:"false" doc:"By step, earliest first; steps without attempts are left out"`
}

// Traffic is the number of attempts in a time.
type Traffic struct {
	By        TrafficBy      `json:"by" enum:"outcome,failure,status_code,host,subscription" doc:"How attempts are grouped. outcome: succeeded or failed. failure: only failed attempts. status_code: none, if there was no response"`
	From      time.Time      `json:"from" doc:"Start of the first step"`
	To        time.Time      `json:"to" doc:"End of the last step, exclusive"`
	Step      Duration       `json:"step" doc:"Length of a step" example:"5m"`
	CountedTo time.Time      `json:"counted_to,omitzero" doc:"Attempts from this time on are not counted yet; absent if none are counted yet"`
	Groups    []TrafficGroup `json:"groups" nullable:"false" doc:"The largest first"`
	More      bool           `json:"more" doc:"There are more groups than the 50 largest ones shown"`
}

// FailureGroup has deliveries that fail alike.
type FailureGroup struct {
	Host       string    `json:"host" doc:"Host of the deliveries" example:"crm.example.com"`
	Failure    Failure   `json:"failure" doc:"Failure of the last attempt" example:"http_5xx"`
	StatusCode int       `json:"status_code" doc:"Status code of the last attempt; 0: no response" example:"503"`
	Tenants    int       `json:"tenants" doc:"Number of tenants with such deliveries, or with such attempts in the last 24 hours" example:"1"`
	Open       int       `json:"open" doc:"Deliveries that are retrying, held or blocked" example:"312"`
	Oldest     string    `json:"oldest,omitempty" doc:"The oldest of these; absent if there is none" example:"dlv_01k0000000000000000000000"`
	OldestAt   time.Time `json:"oldest_at,omitzero" doc:"When the oldest one was accepted"`
	Attempts   int64     `json:"attempts" doc:"Attempts with this failure in the last 24 hours, including those of ended deliveries" example:"1840"`
	LastHour   time.Time `json:"last_hour,omitzero" doc:"The hour of the last of these attempts; absent if there is none"`
}

// FailureGroups are the deliveries that fail now, and the attempts that failed in the last 24
// hours.
type FailureGroups struct {
	At      time.Time      `json:"at" doc:"When this was counted, at most 15 seconds ago"`
	Groups  []FailureGroup `json:"groups" nullable:"false" doc:"Groups with the most open deliveries first"`
	More    bool           `json:"more" doc:"There are more groups than limit"`
	Bounded bool           `json:"bounded" doc:"Not everything is counted: only the newest 100,000 open deliveries are"`
}

// WorkerStatus is what a worker reports of itself every second.
type WorkerStatus struct {
	ID             string    `json:"id" doc:"Names the process: process id, host, random letters"`
	Version        string    `json:"version" example:"0.2.0"`
	JoinedAt       time.Time `json:"joined_at" doc:"When it started"`
	SeenAt         time.Time `json:"seen_at" doc:"When the worker last reported"`
	Slots          int       `json:"slots" doc:"Maximum number of attempts under way, on the task queue deliveries" example:"100"`
	SlotsTaken     int       `json:"slots_taken" doc:"Attempts under way" example:"12"`
	SlowSlots      int       `json:"slow_slots" doc:"Maximum number of additional attempts under way to slow endpoints, on the task queue deliveries-slow" example:"500"`
	SlowSlotsTaken int       `json:"slow_slots_taken" doc:"Attempts under way to slow endpoints" example:"0"`
}

// OpenStatus is what is open now.
type OpenStatus struct {
	At       time.Time      `json:"at" doc:"When this was counted, which happens at most every 5 seconds"`
	Open     map[State]int  `json:"open" nullable:"false" doc:"Open deliveries by state"`
	Overdue  int            `json:"overdue" doc:"Overdue deliveries: the date of the next attempt has passed, and nothing happened"`
	Oldest   string         `json:"oldest,omitempty" doc:"The oldest open delivery; absent if there is none" example:"dlv_01k0000000000000000000000"`
	OldestAt time.Time      `json:"oldest_at,omitzero" doc:"When the event was accepted"`
	Breakers int            `json:"breakers_open" doc:"Subscriptions whose breaker is open or half open"`
	Backlog  int            `json:"relay_backlog" doc:"Deliveries whose workflow should already have been started in Temporal; only for keys that are not bound to a tenant"`
	Workers  []WorkerStatus `json:"workers" nullable:"false" doc:"The running workers; only for keys that are not bound to a tenant"`
}
