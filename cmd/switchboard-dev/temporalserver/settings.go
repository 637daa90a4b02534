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

// clusterName is the name that Temporal gives to an only cluster. The cluster's id
// is made at the first start and kept in the database.
const clusterName = "active"

// shards is fixed for the life of a database, so that one made with another number
// keeps it. Each shard polls its queues for itself: on two cores one took 7 % less CPU
// for each delivery than 4, and those less than 64 or 512. A production database wants
// 512, to grow beyond one host.
const shards = 1

// settings are the dynamic settings that differ from the server's defaults.
func settings() map[dynamicconfig.Key]any {
	return map[dynamicconfig.Key]any{
		// Measured: 5 to 12 % less CPU for each delivery on a SQL store.
		dynamicconfig.ShardIOConcurrency.Key(): 16,
		// Measured: with the default of 128,000 entries a run of the benchmark grew to
		// 3.8 GB, with this to 1.2 GB. A workflow takes two entries, and should still be
		// there 10 s after its start, when the timeout of its first task is looked at and
		// dropped: with 4096 entries it was read again from 9 tables at 200 deliveries/s.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 8192,

		// The list of workflows is brought up to date once a second. Measured: a fifth less
		// CPU for each delivery, because what has ended by then is written as ended, and not
		// as running before: that row is the dearest of all. The size of the batch is what
		// one shard can list in a second, far more than it can run.
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): 1,
		dynamicconfig.VisibilityTaskBatchSize.Key():       5000,

		// Whenever a queue gets a task it sorts all those that it has not yet ticked off
		// again, done or not. By default it ticks off every 30 s: with few shards those are
		// thousands, and a fifth of the server's CPU at 200 deliveries/s.
		dynamicconfig.TransferProcessorUpdateAckInterval.Key():   time.Second,
		dynamicconfig.TimerProcessorUpdateAckInterval.Key():      time.Second,
		dynamicconfig.VisibilityProcessorUpdateAckInterval.Key(): time.Second,
		// To note how far that has come locks the shard's row, for which every start waits:
		// for a tenth of a second under load, seen. By default after 1,000 tasks.
		dynamicconfig.ShardUpdateMinTasksCompleted.Key(): 20000,

		// A timer fires at the earliest this long after its queue was last read, also that
		// of "retry now": by default a second. It allows for clocks that differ between
		// hosts; there is one host here. Less would mean more reads.
		dynamicconfig.TimerProcessorMaxTimeShift.Key(): 100 * time.Millisecond,

		// What the product relies on. The ids' limit is that of the SQL columns.
		dynamicconfig.MatchingEnableFairness.Key():            true,
		dynamicconfig.EnableEagerWorkflowStart.Key():          true,
		dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(): true,
		dynamicconfig.WorkflowIdReuseMinimalInterval.Key():    time.Duration(0),
		dynamicconfig.MaxIDLengthLimit.Key():                  255,

		// The server does not end these workers of its own at its stop: they would go on
		// to ask for work, also that of the next server on the same port. They sweep up
		// what crashes of a large cluster leave behind, and children of closed workflows.
		dynamicconfig.TaskQueueScannerEnabled.Key():       false,
		dynamicconfig.HistoryScannerEnabled.Key():         false,
		dynamicconfig.BuildIdScavengerEnabled.Key():       false,
		dynamicconfig.EnableParentClosePolicyWorker.Key(): false,

		// Nobody is asked whether there is a newer version.
		dynamicconfig.EnableServerVersionCheck.Key(): false,

		// Limits that a burst on one host would meet long before the CPU is used up.
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
