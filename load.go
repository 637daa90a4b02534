package switchboard

// Adaptive says how a subscription's limits follow the load of the worker that
// makes an attempt, and how far they may go.
type Adaptive struct {
	Enabled         bool     `json:"enabled"`
	MinimumTimeout  Duration `json:"minimum_timeout"`  // the time limit under full load
	MaximumStretch  float64  `json:"maximum_stretch"`  // the factor of retry intervals under full load
	MinimumAttempts int      `json:"minimum_attempts"` // the number of attempts under full load
}
