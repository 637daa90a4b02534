package temporalserver

import (
	"database/sql"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	_ "github.com/lib/pq" // to read the server's databases
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"go.temporal.io/server/tools/common/schema"
	sqltool "go.temporal.io/server/tools/sql"
)

func answer(workflow.Context) (int, error) { return 42, nil }

func registerAnswer(r worker.Registry) { r.RegisterWorkflow(answer) }

// ask runs the workflow with that id and checks that it answers in an eager first task.
func ask(t *testing.T, c client.Client, queue, id string) {
	t.Helper()
	run, err := c.ExecuteWorkflow(within(t), client.StartWorkflowOptions{ID: id, TaskQueue: queue, EnableEagerStart: true}, answer)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := run.Get(within(t), &n); err != nil || n != 42 {
		t.Fatalf("got %d, %v", n, err)
	}
}

func TestStartAgainOnTheSameDatabaseAndPort(t *testing.T) {
	t.Parallel()
	config := Config{DatabaseURL: pg.Empty(t)}
	first := start(t, config)
	c := dial(t, first)
	queue := work(t, c, registerAnswer)
	ask(t, c, queue, "before")
	want := events(t, c, "before", "")

	stop(t, first)
	eventually(t, "all connections to Postgres are closed", func() bool { return connections(t, config.DatabaseURL) == 0 })
	config.Port = portOfAddr(t, first.Addr())
	second := start(t, config)
	if second.Addr() != first.Addr() {
		t.Errorf("moved from %s to %s", first.Addr(), second.Addr())
	}
	if diff := cmp.Diff(want, events(t, c, "before", "")); diff != "" {
		t.Errorf("history after the restart (-before +after):\n%s", diff)
	}
	ask(t, c, queue, "after") // the worker and its client found the new server by themselves
}

// connections counts the sessions in the server's two databases, except our own.
func connections(t *testing.T, databaseURL string) int {
	t.Helper()
	n := 0
	query(t, databaseURL, func(db *sql.DB) error {
		return db.QueryRow(`SELECT count(*) FROM pg_stat_activity
			WHERE pid <> pg_backend_pid() AND datname IN (current_database(), current_database() || '_visibility')`).Scan(&n)
	})
	return n
}

func query(t *testing.T, url string, ask func(*sql.DB) error) {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := ask(db); err != nil {
		t.Fatal(err)
	}
}

func TestTwoServersInOneProcess(t *testing.T) {
	t.Parallel()
	for range 2 {
		c := dial(t, start(t, Config{DatabaseURL: pg.Empty(t)}))
		ask(t, c, work(t, c, registerAnswer), "same id")
	}
}

func TestOlderSchemaIsUpgraded(t *testing.T) {
	t.Parallel()
	config := Config{DatabaseURL: pg.Empty(t), Keywords: []string{"One"}}
	older, err := parseDatabaseURL(config.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	log := serverLog{to: slog.New(slog.DiscardHandler), silent: new(atomic.Bool)}
	for _, old := range []struct {
		store  string
		schema schema.UpdateConfig
	}{
		{older.name, schema.UpdateConfig{SchemaName: "postgresql/v12/temporal", TargetVersion: "1.17"}},
		{older.name + "_visibility", schema.UpdateConfig{SchemaName: "postgresql/v12/visibility", TargetVersion: "1.9"}},
	} {
		if err := sqltool.DoCreateDatabase(older.store(old.store, 1), "postgres", log); err != nil {
			t.Fatal(err)
		}
		connection, err := sqltool.NewConnection(older.store(old.store, 1), log)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if err := schema.NewSetupSchemaTask(connection, &schema.SetupConfig{InitialVersion: "0.0"}, log).Run(); err != nil {
			t.Fatal(err)
		}
		if err := schema.NewUpdateSchemaTask(connection, &old.schema, log).Run(); err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, start(t, config))
	ask(t, c, work(t, c, registerAnswer), "upgraded")
	if diff := cmp.Diff(keptIndexes("by_keyword_01"), indexes(t, config.DatabaseURL)); diff != "" {
		t.Errorf("indexes (-want +got):\n%s", diff)
	}
}

// keptIndexes are the remaining indexes, including those of the named keywords.
func keptIndexes(keywords ...string) []string {
	return append(append([]string{"by_status"}, keywords...), "by_temporal_namespace_division",
		"by_temporal_scheduled_by_id", "by_workflow_id", "by_workflow_type", "default_idx", "executions_visibility_pkey")
}

func indexes(t *testing.T, databaseURL string) []string {
	t.Helper()
	var names string
	url := strings.Replace(databaseURL, "?", "_visibility?", 1)
	query(t, url, func(db *sql.DB) error {
		return db.QueryRow(`SELECT string_agg(indexname, ' ' ORDER BY replace(indexname, 'by_keyword', 'by_t_keyword') COLLATE "C")
			FROM pg_indexes WHERE tablename = 'executions_visibility'`).Scan(&names)
	})
	return strings.Fields(names)
}

func TestKeywordsHaveAnIndexAndWorkAtOnce(t *testing.T) {
	t.Parallel()
	config := Config{DatabaseURL: pg.Empty(t), Keywords: []string{"One", "Two"}}
	for range 2 { // the second start finds everything as it left it
		s := start(t, config)
		if diff := cmp.Diff(keptIndexes("by_keyword_01", "by_keyword_02"), indexes(t, config.DatabaseURL)); diff != "" {
			t.Errorf("indexes (-want +got):\n%s", diff)
		}
		c := dial(t, s)
		find(t, c, "Two")
		stop(t, s)
	}
}

func TestKeywordAddedThroughTheServerWorksAtOnce(t *testing.T) {
	t.Parallel()
	c := dial(t, start(t, Config{DatabaseURL: pg.Empty(t), Keywords: []string{"One"}, FreshAttributes: true}))
	for range 2 { // adding again does nothing
		if _, err := c.OperatorService().AddSearchAttributes(within(t), &operatorservice.AddSearchAttributesRequest{
			Namespace: client.DefaultNamespace,
			SearchAttributes: map[string]enumspb.IndexedValueType{
				"One": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "Later": enumspb.INDEXED_VALUE_TYPE_KEYWORD,
			},
		}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := c.OperatorService().ListSearchAttributes(within(t), &operatorservice.ListSearchAttributesRequest{Namespace: client.DefaultNamespace})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]enumspb.IndexedValueType{"One": enumspb.INDEXED_VALUE_TYPE_KEYWORD, "Later": enumspb.INDEXED_VALUE_TYPE_KEYWORD}
	if diff := cmp.Diff(want, list.GetCustomAttributes()); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	find(t, c, "Later")
}

// find starts a workflow with that attribute and waits until a search finds it.
func find(t *testing.T, c client.Client, keyword string) {
	t.Helper()
	key := temporal.NewSearchAttributeKeyKeyword(keyword)
	if _, err := c.ExecuteWorkflow(within(t), client.StartWorkflowOptions{
		TaskQueue: t.Name(), TypedSearchAttributes: temporal.NewSearchAttributes(key.ValueSet("blue")),
	}, answer); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the workflow is listed", func() bool {
		list, err := c.ListWorkflow(within(t), &workflowservice.ListWorkflowExecutionsRequest{Query: keyword + " = 'blue'"})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.GetExecutions()) > 0
	})
}

func TestTakenPortIsNamedWithItsFlag(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	port := portOf(listener)
	_, err = Start(t.Context(), Config{DatabaseURL: pg.Empty(t), Port: port})
	checkNames(t, err, strconv.Itoa(port), "--temporal-addr")
	_, err = StartUI(t.Context(), UIConfig{Port: port, TemporalAddr: "127.0.0.1:1"})
	checkNames(t, err, strconv.Itoa(port), "--temporal-ui-addr")
}

func checkNames(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %s", err, part)
		}
	}
}

func TestDatabaseThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://nobody@/temporal?host=/nowhere&port=1", // no Postgres
		"postgres:///temporal",                             // no user
		"postgres://somebody@localhost:1/",                 // no database
		"://",
	} {
		if s, err := Start(t.Context(), Config{DatabaseURL: url}); err == nil {
			t.Errorf("%s: no error", url)
			stop(t, s)
		}
	}
}
