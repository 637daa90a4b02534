package temporalserver

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/resolver"
	"google.golang.org/protobuf/types/known/durationpb"
)

// keywordColumns is how many custom keywords a namespace can have on SQL.
const keywordColumns = 10

// createNamespace writes a missing namespace into the database before the server starts. Through
// the server's API, the namespace and its search attributes would be available only some seconds
// later, and the attributes would be in random columns, so that nobody could know which indexes to
// keep.
func createNamespace(ctx context.Context, c Config, db database, log serverLog) error {
	if len(c.Keywords) > keywordColumns {
		return fmt.Errorf("%d keywords, at most %d fit", len(c.Keywords), keywordColumns)
	}
	rows, err := sql.NewSQLDB(sqlplugin.DbKindMain, db.main(1),
		resolver.NewNoopResolver(), log, metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	found, err := rows.SelectFromNamespace(ctx, sqlplugin.NamespaceFilter{Name: &c.Namespace})
	if err == nil && len(found) > 0 {
		return nil
	}
	id := primitives.NewUUID()
	blob, err := serialization.NewSerializer().NamespaceDetailToBlob(c.namespace(id.String()))
	if err != nil {
		return err
	}
	_, err = rows.InsertIntoNamespace(ctx, &sqlplugin.NamespaceRow{
		ID: id, Name: c.Namespace, Data: blob.GetData(), DataEncoding: blob.GetEncodingType().String(),
	})
	return err
}

func (c Config) namespace(id string) *persistencespb.NamespaceDetail {
	aliases := map[string]string{}
	for i, name := range c.Keywords {
		aliases[fmt.Sprintf("Keyword%02d", i+1)] = name
	}
	return &persistencespb.NamespaceDetail{
		Info: &persistencespb.NamespaceInfo{
			Id: id, Name: c.Namespace, State: enumspb.NAMESPACE_STATE_REGISTERED,
		},
		Config: &persistencespb.NamespaceConfig{
			Retention:                    durationpb.New(c.Retention),
			HistoryArchivalState:         enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState:      enumspb.ARCHIVAL_STATE_DISABLED,
			CustomSearchAttributeAliases: aliases,
		},
		ReplicationConfig: &persistencespb.NamespaceReplicationConfig{
			ActiveClusterName: clusterName, Clusters: []string{clusterName},
		},
		FailoverVersion:             common.EmptyVersion,
		FailoverNotificationVersion: -1,
	}
}
