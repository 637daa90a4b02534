-- OPTIONAL. Drops the indexes of Temporal's visibility table that nothing in
-- Switchboard searches by. Run it on the visibility database, as its owner:
--
--   psql -v ON_ERROR_STOP=1 -d temporal_visibility -f drop-unused-visibility-indexes.sql
--
-- What it gives: each delivery writes its row there twice, and each of 73 indexes with
-- it. Without 67 of them, more than the 57 below, a delivery took 9 % less CPU and a
-- third of the write-ahead log (13 instead of 40 to 51 KB).
--
-- What it costs:
--   * Lists in Temporal's UI, CLI and API that filter by one of these attributes read
--     every row of the namespace: ExecutionTime, ExecutionDuration, HistoryLength,
--     HistorySizeBytes, StateTransitionCount, TaskQueue, parent and root workflow,
--     BuildIds, worker deployments and versioning, TemporalPauseInfo (paused
--     activities), TemporalReportedProblems, batch jobs, schedules by start time or
--     pause, external payloads; custom attributes of any type but keyword; and
--     Temporal's own numbered columns (standalone activities).
--     Filters by time, id, type, status, namespace, schedule and custom keywords,
--     Switchboard's own among them, stay quick.
--   * It is for all namespaces of the cluster. Other users of it: do not run this.
--   * Worker versioning of Temporal asks by deployment. Switchboard does not use it; if
--     you turn it on, restore its indexes first.
--   * `temporal-sql-tool update-schema` may bring indexes back or expect one: read the
--     release's schema changes, and run this again after each upgrade of the server.
--
-- The ten columns of custom keywords keep their indexes, all of them: the server
-- assigns Switchboard's four attributes to columns at random, and
--   temporal operator namespace describe --namespace switchboard --output json
-- shows to which (customSearchAttributeAliases). The other six can be dropped by hand.
--
-- To restore: run the CREATE INDEX lines of these names again, out of
-- /etc/temporal/schema/postgresql/v12/visibility/schema.sql in temporalio/admin-tools,
-- with CREATE INDEX CONCURRENTLY on a table that is in use.
--
-- It may be run again at any time, and while the server works: dropping takes
-- milliseconds once the lock is there, and gives up after two seconds rather than
-- holding up the writers that queue behind it. Then nothing was dropped: try again.

SET lock_timeout = '2s';

DROP INDEX IF EXISTS
    -- custom search attributes that are no keywords
    by_bool_01, by_bool_02, by_bool_03,
    by_datetime_01, by_datetime_02, by_datetime_03,
    by_double_01, by_double_02, by_double_03,
    by_int_01, by_int_02, by_int_03,
    by_text_01, by_text_02, by_text_03,
    by_keyword_list_01, by_keyword_list_02, by_keyword_list_03,

    -- columns for Temporal's own components
    by_temporal_bool_01, by_temporal_bool_02,
    by_temporal_datetime_01, by_temporal_datetime_02,
    by_temporal_double_01, by_temporal_double_02,
    by_temporal_int_01, by_temporal_int_02,
    by_temporal_keyword_01, by_temporal_keyword_02, by_temporal_keyword_03, by_temporal_keyword_04,
    by_temporal_low_cardinality_keyword_01,
    by_temporal_keyword_list_01, by_temporal_keyword_list_02,

    -- figures and relations that a delivery's workflow is not searched by
    by_execution_time, by_execution_duration,
    by_history_length, by_history_size_bytes, by_state_transition_count,
    by_task_queue,
    by_parent_workflow_id, by_parent_run_id, by_root_workflow_id, by_root_run_id,

    -- attributes that Temporal fills for features not used here
    by_temporal_change_version, by_binary_checksums, by_build_ids,
    by_temporal_worker_deployment_version, by_temporal_workflow_versioning_behavior,
    by_temporal_worker_deployment, by_used_deployment_versions,
    by_temporal_pause_info, by_temporal_reported_problems, by_batcher_user,
    by_temporal_scheduled_start_time, by_temporal_schedule_paused,
    by_temporal_external_payload_size_bytes, by_temporal_external_payload_count;

RESET lock_timeout;
