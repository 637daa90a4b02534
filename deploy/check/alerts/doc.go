// Package alerts has no code: its tests make each alert of deploy/alerts.yaml fire by a fault of real
// processes, and clear after it, and look for every metric and label of the alerts and of the dashboard
// among those that these processes show.
package alerts
