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
	Succeeded int64 `json:"succeeded" doc:"Those that were answered with 2xx" example:"40460"`
	Failed    int64 `json:"failed" doc:"The others" example:"740"`
	P50       int   `json:"p50_ms" doc:"Median of their latency in milliseconds, to the width of the range that it was counted in" example:"80"`
	P95       int   `json:"p95_ms" doc:"95th percentile of their latency in milliseconds" example:"410"`
}

// TrafficPoint counts the attempts of one step of time.
type TrafficPoint struct {
	At time.Time `json:"at" doc:"When the step begins"`
	TrafficCount
}

// TrafficGroup counts attempts that have something in common.
type TrafficGroup struct {
	Value string `json:"value" doc:"What they have in common" example:"succeeded"`
	TrafficCount
	Points []TrafficPoint `json:"points" nullable:"false" doc:"By step, the earliest first. A step without attempts has none"`
}

// Traffic is the number of attempts in a time.
type Traffic struct {
	By        TrafficBy      `json:"by" enum:"outcome,failure,status_code,host,subscription" doc:"What groups have in common. outcome: succeeded or failed. failure: only failed attempts. status_code: none, if there was no response"`
	From      time.Time      `json:"from" doc:"From the beginning of this step"`
	To        time.Time      `json:"to" doc:"To the beginning of this one, which is not counted"`
	Step      Duration       `json:"step" doc:"How long a step is" example:"5m"`
	CountedTo time.Time      `json:"counted_to,omitzero" doc:"Attempts from then on are not counted yet; absent if none are counted yet"`
	Groups    []TrafficGroup `json:"groups" nullable:"false" doc:"The largest first"`
	More      bool           `json:"more" doc:"There are more groups than the 50 largest, which are shown"`
}

// FailureGroup has deliveries that fail alike.
type FailureGroup struct {
	Host       string    `json:"host" doc:"Where they go" example:"crm.example.com"`
	Failure    Failure   `json:"failure" doc:"How the last attempt failed" example:"http_5xx"`
	StatusCode int       `json:"status_code" doc:"What it was answered with; 0: no response" example:"503"`
	Tenants    int       `json:"tenants" doc:"How many tenants have such deliveries, or had such attempts in the last 24 hours" example:"1"`
	Open       int       `json:"open" doc:"Deliveries that are retrying, held or blocked" example:"312"`
	Oldest     string    `json:"oldest,omitempty" doc:"The oldest of these; absent if there is none" example:"dlv_01k0000000000000000000000"`
	OldestAt   time.Time `json:"oldest_at,omitzero" doc:"When that was accepted"`
	Attempts   int64     `json:"attempts" doc:"Attempts that failed so in the last 24 hours, of deliveries that have ended too" example:"1840"`
	LastHour   time.Time `json:"last_hour,omitzero" doc:"The hour of the last of these attempts; absent if there is none"`
}

// FailureGroups are the deliveries that fail now, and the attempts that failed in the last 24
// hours.
type FailureGroups struct {
	At      time.Time      `json:"at" doc:"When this was counted, 15 seconds ago at most"`
	Groups  []FailureGroup `json:"groups" nullable:"false" doc:"Those with the most open deliveries first"`
	More    bool           `json:"more" doc:"There are more groups than limit"`
	Bounded bool           `json:"bounded" doc:"There are more open deliveries or groups than are counted, which are the newest 100,000 deliveries"`
}

// WorkerStatus is what a worker reports of itself every second.
type WorkerStatus struct {
	ID             string    `json:"id" doc:"Names the process: process id, host, random letters"`
	Version        string    `json:"version" example:"0.2.0"`
	JoinedAt       time.Time `json:"joined_at" doc:"When it started"`
	SeenAt         time.Time `json:"seen_at" doc:"When it was last heard of"`
	Slots          int       `json:"slots" doc:"Attempts that may be under way, on the task queue deliveries" example:"100"`
	SlotsTaken     int       `json:"slots_taken" doc:"Attempts that are" example:"12"`
	SlowSlots      int       `json:"slow_slots" doc:"Attempts to slow endpoints that may be under way beside those, on the task queue deliveries-slow" example:"500"`
	SlowSlotsTaken int       `json:"slow_slots_taken" doc:"Attempts to slow endpoints that are" example:"0"`
}

// OpenStatus is what is open now.
type OpenStatus struct {
	At       time.Time      `json:"at" doc:"When this was counted. It is counted every 5 seconds at most"`
	Open     map[State]int  `json:"open" nullable:"false" doc:"Open deliveries by state"`
	Overdue  int            `json:"overdue" doc:"Deliveries for which nothing happened though the date of the next attempt has passed"`
	Oldest   string         `json:"oldest,omitempty" doc:"The oldest open delivery; absent if there is none" example:"dlv_01k0000000000000000000000"`
	OldestAt time.Time      `json:"oldest_at,omitzero" doc:"When it was accepted"`
	Breakers int            `json:"breakers_open" doc:"Subscriptions whose breaker is open or half open"`
	Backlog  int            `json:"relay_backlog" doc:"Deliveries whose workflow should have been started in Temporal by now; for keys that are bound to no tenant"`
	Workers  []WorkerStatus `json:"workers" nullable:"false" doc:"The workers that live; for keys that are bound to no tenant"`
}
