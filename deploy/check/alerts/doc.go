// Package alerts has only tests. They make each alert of deploy/alerts.yaml fire by a fault of real
// processes, and clear after it. They also look for every metric and label of the alerts and the
// dashboard in the output of these processes.
package alerts
