package temporalserver

import (
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/primitives"
)

// The names of the two stores in the server's configuration.
const (
	mainStore       = "main"
	visibilityStore = "visibility"
)

// clusterName is Temporal's name for an only cluster. The cluster's id is made at the first start
// and stored in the database.
const clusterName = "active"

// shards never changes for a database: one that was made with another number keeps that. Each shard
// polls its own queues. On two cores, 1 shard took 7 % less CPU per delivery than 4, and 4 less
// than 64 or 512. A production database needs 512, to grow beyond one host.
const shards = 1

// settings are the dynamic settings that differ from the server's defaults.
func settings() map[dynamicconfig.Key]any {
	return map[dynamicconfig.Key]any{
		// Measured: 5 to 12 % less CPU per delivery on a SQL store.
		dynamicconfig.ShardIOConcurrency.Key(): 16,
		// Measured: with the default of 128,000 entries a run of the benchmark grew to 3.8 GB, with
		// this setting to 1.2 GB. A workflow takes two entries, which should still be cached 10 s
		// after its start, when the timeout of its first task is checked and dropped. With 4096
		// entries the workflow was read again from 9 tables at 200 deliveries/s.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8192,

		// The list of workflows is updated once a second. Measured: a fifth less CPU per delivery,
		// because a workflow that has ended by then is written once as ended, and not first as
		// running: that row is the most expensive of all. The batch size is what one shard can list
		// in a second, far more than it can run.
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): 1,
		dynamicconfig.VisibilityTaskBatchSize.Key():       5000,

		// Whenever a queue gets a task, it sorts all tasks that it has not acknowledged, done or
		// not. By default it acknowledges every 30 s. With few shards these are thousands of tasks,
		// and a fifth of the server's CPU at 200 deliveries/s.
		dynamicconfig.TransferProcessorUpdateAckInterval.Key():   time.Second,
		dynamicconfig.TimerProcessorUpdateAckInterval.Key():      time.Second,
		dynamicconfig.VisibilityProcessorUpdateAckInterval.Key(): time.Second,
		// Recording that progress locks the shard's row, and every start waits for the lock: under
		// load for a tenth of a second, as observed. The default is after 1,000 tasks.
		dynamicconfig.ShardUpdateMinTasksCompleted.Key(): 20000,

		// A timer fires at the earliest this long after its queue was last read, also that of
		// "retry now". The default of a second allows for different clocks on several hosts; here
		// is one host. A lower value would mean more reads.
		dynamicconfig.TimerProcessorMaxTimeShift.Key(): 100 * time.Millisecond,

		// What the product relies on. The limit of ids is that of the SQL columns.
		dynamicconfig.MatchingEnableFairness.Key():            true,
		dynamicconfig.EnableEagerWorkflowStart.Key():          true,
		dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(): true,
		dynamicconfig.WorkflowIdReuseMinimalInterval.Key():    time.Duration(0),
		dynamicconfig.MaxIDLengthLimit.Key():                  255,

		// The server does not stop these internal workers: they would continue to poll, also the
		// next server on the same port. They clean up after crashes of a large cluster, and after
		// children of closed workflows.
		dynamicconfig.TaskQueueScannerEnabled.Key():       false,
		dynamicconfig.HistoryScannerEnabled.Key():         false,
		dynamicconfig.BuildIdScavengerEnabled.Key():       false,
		dynamicconfig.EnableParentClosePolicyWorker.Key(): false,

		// No check for newer versions.
		dynamicconfig.EnableServerVersionCheck.Key(): false,

		// Limits that a burst on one host would reach long before the CPU is used up.
		dynamicconfig.FrontendRPS.Key():                                         20000,
		dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key():                  20000,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key():        200,
		dynamicconfig.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key(): 10000,
		dynamicconfig.MatchingRPS.Key():                                         20000,
		dynamicconfig.HistoryRPS.Key():                                          30000,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                           20000,
		dynamicconfig.MatchingPersistenceMaxQPS.Key():                           20000,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                            50000,
	}
}

// serverConfig is the server's static configuration.
func serverConfig(c Config, db database, ports map[primitives.ServiceName]int) *config.Config {
	frontend := hostPort(c.Host, ports[primitives.FrontendService])
	var s config.Config
	s.Global.Membership = config.Membership{MaxJoinDuration: readyTimeout, BroadcastAddress: c.Host}
	s.Persistence = config.Persistence{
		DefaultStore:     mainStore,
		VisibilityStore:  visibilityStore,
		NumHistoryShards: shards,
		DataStores: map[string]config.DataStore{
			mainStore:       {SQL: db.main(mainConnections)},
			visibilityStore: {SQL: db.visibility(visibilityConnections)},
		},
	}
	s.ClusterMetadata = &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{
			clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
		},
	}
	s.Services = map[string]config.Service{}
	for service, port := range ports {
		s.Services[string(service)] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: c.Host}}
	}
	s.PublicClient.HostPort = frontend
	s.DCRedirectionPolicy.Policy = "noop"
	s.Archival.History.State, s.Archival.Visibility.State = config.ArchivalDisabled, config.ArchivalDisabled
	s.NamespaceDefaults.Archival.History.State = config.ArchivalDisabled
	s.NamespaceDefaults.Archival.Visibility.State = config.ArchivalDisabled
	return &s
}
