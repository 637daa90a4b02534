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

// shards is fixed for the life of a database. 4 cost less than 64 or 512 on two
// cores; a production database wants 512.
const shards = 4

// settings are the dynamic settings that differ from the server's defaults.
func settings() map[dynamicconfig.Key]any {
	return map[dynamicconfig.Key]any{
		// Measured: 5 to 12 % less CPU for each delivery on a SQL store.
		dynamicconfig.ShardIOConcurrency.Key(): 8,
		// Measured: a workflow that is kept in the cache holds about 85 KB, for an hour.
		// With the default of 128,000 a run of the benchmark grew to 3.8 GB, with this to
		// 1.0 GB at no more CPU.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key(): 4096,

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
