package deploy

import (
	"database/sql"
	"go/ast"
	"go/constant"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "github.com/lib/pq" // registers the driver
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/schema"
)

const (
	settingsFile = "temporal/dynamicconfig.yaml"
	indexesFile  = "temporal/drop-unused-visibility-indexes.sql"
	// embeddedFile is read as source, because importing its package would link the whole server
	// into this test.
	embeddedFile = "../cmd/switchboard-dev/temporalserver/settings.go"
)

// The server accepts the file: every key is registered, and every value has its type.
func TestDynamicConfig(t *testing.T) {
	t.Parallel()
	loaded := dynamicconfig.LoadYamlFile([]byte(read(t, settingsFile)))
	if len(loaded.Errors)+len(loaded.Warnings) > 0 || len(loaded.Map) == 0 {
		t.Errorf("%d settings, errors %v, warnings %v", len(loaded.Map), loaded.Errors, loaded.Warnings)
	}
	// The loader finds a typing error in a key and in a value.
	wrong := dynamicconfig.LoadYamlFile([]byte("frontend.rqs: [{value: 1}]\nfrontend.rps: [{value: many}]\n"))
	if len(wrong.Warnings) != 2 {
		t.Errorf("warnings about a wrong key and a wrong value: %v", wrong.Warnings)
	}
}

// same says that a setting has the same value in development and production.
const same = ""

// setting is one of the embedded server's settings: the Go name and the key, and why production has
// another value or none.
type setting struct {
	name   string
	key    dynamicconfig.Key
	reason string
}

func settings() []setting {
	const stopsCleanly = "off where servers start and stop within one process; production needs the sweeping"
	const oneShard = "one shard gets what 512 share"
	return []setting{
		{"ShardIOConcurrency", dynamicconfig.ShardIOConcurrency.Key(), oneShard},
		{"VisibilityProcessorMaxPollRPS", dynamicconfig.VisibilityProcessorMaxPollRPS.Key(), same},
		{"VisibilityTaskBatchSize", dynamicconfig.VisibilityTaskBatchSize.Key(), same},
		{"TransferProcessorUpdateAckInterval", dynamicconfig.TransferProcessorUpdateAckInterval.Key(), oneShard},
		{"TimerProcessorUpdateAckInterval", dynamicconfig.TimerProcessorUpdateAckInterval.Key(), oneShard},
		{"VisibilityProcessorUpdateAckInterval", dynamicconfig.VisibilityProcessorUpdateAckInterval.Key(), oneShard},
		{"ShardUpdateMinTasksCompleted", dynamicconfig.ShardUpdateMinTasksCompleted.Key(), oneShard},
		{"HistoryCacheHostLevelMaxSize", dynamicconfig.HistoryCacheHostLevelMaxSize.Key(), same},
		{"TimerProcessorMaxTimeShift", dynamicconfig.TimerProcessorMaxTimeShift.Key(), "several hosts have several clocks"},
		{"MatchingEnableFairness", dynamicconfig.MatchingEnableFairness.Key(), same},
		{"EnableEagerWorkflowStart", dynamicconfig.EnableEagerWorkflowStart.Key(), same},
		{"EnableCancelWorkerPollsOnShutdown", dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(), same},
		{"WorkflowIdReuseMinimalInterval", dynamicconfig.WorkflowIdReuseMinimalInterval.Key(), same},
		{"MaxIDLengthLimit", dynamicconfig.MaxIDLengthLimit.Key(), same},
		{"TaskQueueScannerEnabled", dynamicconfig.TaskQueueScannerEnabled.Key(), stopsCleanly},
		{"HistoryScannerEnabled", dynamicconfig.HistoryScannerEnabled.Key(), stopsCleanly},
		{"BuildIdScavengerEnabled", dynamicconfig.BuildIdScavengerEnabled.Key(), stopsCleanly},
		{"EnableParentClosePolicyWorker", dynamicconfig.EnableParentClosePolicyWorker.Key(), stopsCleanly},
		{"EnableServerVersionCheck", dynamicconfig.EnableServerVersionCheck.Key(), same},
		{"FrontendRPS", dynamicconfig.FrontendRPS.Key(), same},
		{"FrontendMaxNamespaceRPSPerInstance", dynamicconfig.FrontendMaxNamespaceRPSPerInstance.Key(), same},
		{"FrontendMaxNamespaceVisibilityRPSPerInstance", dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(), "lists read a table of millions of rows"},
		{"FrontendMaxConcurrentLongRunningRequestsPerInstance", dynamicconfig.FrontendMaxConcurrentLongRunningRequestsPerInstance.Key(), "two hundred workers are within the default"},
		{"MatchingRPS", dynamicconfig.MatchingRPS.Key(), same},
		{"HistoryRPS", dynamicconfig.HistoryRPS.Key(), same},
		{"FrontendPersistenceMaxQPS", dynamicconfig.FrontendPersistenceMaxQPS.Key(), same},
		{"MatchingPersistenceMaxQPS", dynamicconfig.MatchingPersistenceMaxQPS.Key(), same},
		{"HistoryPersistenceMaxQPS", dynamicconfig.HistoryPersistenceMaxQPS.Key(), same},
	}
}

// Production uses the measured settings, unless there is a reason not to.
func TestSettingsAreThoseOfDevelopment(t *testing.T) {
	t.Parallel()
	config := dynamicconfig.FileBasedClientConfig{Filepath: settingsFile, PollInterval: time.Minute}
	stopped := make(chan any)
	defer close(stopped)
	production, err := dynamicconfig.NewFileBasedClient(&config, log.NewNoopLogger(), stopped)
	if err != nil {
		t.Fatal(err)
	}
	development := embedded(t)
	for _, s := range settings() {
		here, there := plain(t, production.GetValue(s.key)), development[s.name]
		switch {
		case there == nil:
			t.Errorf("the embedded server does not set %s any more", s.name)
		case s.reason == same && here != there:
			t.Errorf("%s is %v (%T) in production and %v (%T) in development, without a reason", s.key, here, here, there, there)
		case s.reason != same && here == there:
			t.Errorf("%s is %v in both, in spite of %q", s.key, here, s.reason)
		}
		delete(development, s.name)
	}
	for name := range development {
		t.Errorf("the embedded server sets %s: production should too, or say why not", name)
	}
	for key := range dynamicconfig.LoadYamlFile([]byte(read(t, settingsFile))).Map {
		if !slices.ContainsFunc(settings(), func(s setting) bool { return s.key == key }) {
			t.Errorf("%s is set in production alone, where nobody measured it", key)
		}
	}
}

// plain returns the only value of a key without constraints: a bool, an int64 or a duration; nil if
// it is not set.
func plain(t *testing.T, values []dynamicconfig.ConstrainedValue) any {
	t.Helper()
	if len(values) == 0 {
		return nil
	}
	switch v := values[0].Value.(type) {
	case int:
		return int64(v)
	case string:
		d, err := time.ParseDuration(v)
		if err != nil {
			t.Error(err)
		}
		return d
	default:
		return v
	}
}

// embedded reads the embedded server's settings: their values, in the form of plain, by the names
// of their variables.
func embedded(t *testing.T) map[string]any {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), embeddedFile, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]any{}
	ast.Inspect(file, func(n ast.Node) bool {
		pair, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		// dynamicconfig.Name.Key(): value
		if call, ok := pair.Key.(*ast.CallExpr); ok {
			if method, ok := call.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "Key" {
				found[method.X.(*ast.SelectorExpr).Sel.Name] = evaluate(t, types.ExprString(pair.Value))
			}
		}
		return true
	})
	return found
}

// evaluate computes a constant Go expression, which may name the package time.
func evaluate(t *testing.T, expression string) any {
	t.Helper()
	clock, err := importer.Default().Import("time")
	if err != nil {
		t.Fatal(err)
	}
	scope := types.NewPackage("settings", "settings")
	scope.Scope().Insert(types.NewPkgName(token.NoPos, scope, "time", clock))
	result, err := types.Eval(token.NewFileSet(), scope, token.NoPos, expression)
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	if result.Value.Kind() == constant.Bool {
		return constant.BoolVal(result.Value)
	}
	number, exact := constant.Int64Val(result.Value)
	if !exact {
		t.Fatalf("%s is %s, no whole number", expression, result.Value)
	}
	if result.Type.String() == "time.Duration" {
		return time.Duration(number)
	}
	return number
}

// The script drops what it says from the server's schema, and may run again.
func TestDropUnusedVisibilityIndexes(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("postgres", pg.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	stock, err := fs.ReadFile(schema.Assets(), "postgresql/v12/visibility/schema.sql")
	if err != nil {
		t.Fatal(err)
	}
	execute(t, db, string(stock))
	before := indexes(t, db)

	script := read(t, indexesFile)
	execute(t, db, script)
	kept := indexes(t, db)
	want := []string{
		"by_keyword_01", "by_keyword_02", "by_keyword_03", "by_keyword_04", "by_keyword_05", // custom attributes,
		"by_keyword_06", "by_keyword_07", "by_keyword_08", "by_keyword_09", "by_keyword_10", // ours among them
		"by_status", "by_workflow_id", "by_workflow_type", // lists of the UI, and the reconciler's
		"by_temporal_namespace_division", "by_temporal_scheduled_by_id", // schedules
		"default_idx", "executions_visibility_pkey",
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if len(before)-len(kept) != 57 { // the script's comment says so
		t.Errorf("dropped %d of %d indexes", len(before)-len(kept), len(before))
	}

	execute(t, db, script)
	if diff := cmp.Diff(kept, indexes(t, db)); diff != "" {
		t.Errorf("a second run changed the indexes:\n%s", diff)
	}
}

func execute(t *testing.T, db *sql.DB, script string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), script); err != nil {
		t.Fatal(err)
	}
}

// indexes lists the visibility table's indexes, sorted.
func indexes(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT indexname FROM pg_indexes WHERE tablename = 'executions_visibility'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return names
}
