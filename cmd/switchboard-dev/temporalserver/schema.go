package temporalserver

import (
	"context"
	"fmt"
	"strings"

	"go.temporal.io/server/common/config"
	_ "go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql" // registers the plugins
	"go.temporal.io/server/tools/common/schema"
	"go.temporal.io/server/tools/sql"
)

// prepare creates what is missing: databases, schema, namespace. It also upgrades the schema of an
// older server. If there is nothing to do, it is quick.
func prepare(ctx context.Context, c Config, db database, log serverLog) error {
	if err := migrate(ctx, c, db.main, "postgresql/v12/temporal", log); err != nil {
		return err
	}
	if err := migrate(ctx, c, db.visibility, "postgresql/v12/visibility", log); err != nil {
		return err
	}
	if err := dropIndexes(len(c.Keywords), db, log); err != nil {
		return fmt.Errorf("drop unused indexes: %w", err)
	}
	if err := createNamespace(ctx, c, db, log); err != nil {
		return fmt.Errorf("create namespace %s: %w", c.Namespace, err)
	}
	return nil
}

// migrate migrates one database to the schema of this server, with the server's own tool. The tool
// applies missing versions in order, records them, and continues where it was interrupted.
func migrate(ctx context.Context, c Config, database func(connections int) *config.SQL, name string, log serverLog) error {
	if err := ctx.Err(); err != nil { // the tool itself takes no context
		return err
	}
	if err := sql.DoCreateDatabase(database(1), "postgres", log); err != nil {
		return fmt.Errorf("create database %s: %w", database(1).DatabaseName, err)
	}
	connection, err := sql.NewConnection(database(1), log)
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", database(1).DatabaseName, err)
	}
	defer connection.Close()
	if _, err := connection.ReadSchemaVersion(); err != nil { // there is none yet
		c.Progress("setting up database " + database(1).DatabaseName)
		if err := schema.NewSetupSchemaTask(connection, &schema.SetupConfig{InitialVersion: "0.0"}, log).Run(); err != nil {
			return fmt.Errorf("set up schema %s: %w", name, err)
		}
	}
	if err := schema.NewUpdateSchemaTask(connection, &schema.UpdateConfig{SchemaName: name}, log).Run(); err != nil {
		return fmt.Errorf("upgrade schema %s: %w", name, err)
	}
	return nil
}

// dropIndexes drops the indexes of the visibility table that nothing here uses. The stock schema
// has 73, which are written twice for every delivery. Without them a delivery took 9 % less CPU and
// a third of the write-ahead log. Searches by such attributes still work, but read more. A schema
// upgrade may bring some back.
func dropIndexes(keywords int, db database, log serverLog) error {
	connection, err := sql.NewConnection(db.visibility(1), log)
	if err != nil {
		return err
	}
	defer connection.Close()
	return connection.Exec("DROP INDEX IF EXISTS " + strings.Join(unusedIndexes(keywords), ", "))
}

// unusedIndexes lists the indexes to drop: those of the columns for custom search attributes,
// except for the first keywords, and those of attributes for Temporal features that are not used
// here. The remaining ones serve the lists of Temporal's UI (by time, id, type, status), schedules,
// and our own keywords.
func unusedIndexes(keywords int) []string {
	var names []string
	numbered := func(kind string, first, last int) {
		for n := first; n <= last; n++ {
			names = append(names, fmt.Sprintf("by_%s_%02d", kind, n))
		}
	}
	for _, kind := range []string{"bool", "datetime", "double", "int", "text", "keyword_list"} {
		numbered(kind, 1, 3)
	}
	numbered("keyword", keywords+1, keywordColumns)
	for _, kind := range []string{"bool", "datetime", "double", "int", "keyword_list"} {
		numbered("temporal_"+kind, 1, 2)
	}
	numbered("temporal_keyword", 1, 4)
	numbered("temporal_low_cardinality_keyword", 1, 1)
	return append(names,
		"by_execution_time", "by_history_length", "by_history_size_bytes", "by_execution_duration",
		"by_state_transition_count", "by_task_queue", "by_parent_workflow_id", "by_parent_run_id",
		"by_root_workflow_id", "by_root_run_id", "by_temporal_change_version", "by_binary_checksums",
		"by_build_ids", "by_temporal_pause_info", "by_temporal_reported_problems",
		"by_temporal_worker_deployment_version", "by_temporal_workflow_versioning_behavior",
		"by_temporal_worker_deployment", "by_used_deployment_versions", "by_batcher_user",
		"by_temporal_scheduled_start_time", "by_temporal_schedule_paused",
		"by_temporal_external_payload_size_bytes", "by_temporal_external_payload_count",
	)
}
