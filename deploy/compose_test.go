package deploy

import (
	"net/netip"
	"path"
	"strings"
	"testing"

	"code.dny.dev/ssrf"
	"go.temporal.io/server/common/config"
	"go.yaml.in/yaml/v3"

	"github.com/seed-49a43567/switchboard/webhook"
)

// Temporal's server, with the environment of compose.yaml and what its image's entry point adds,
// runs on our databases with our dynamic configuration. The folder check checks the rest of
// compose.yaml with Compose's own loader.
func TestComposeTemporal(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Environment map[string]string
			Volumes     []struct{ Source, Target string }
		}
	}
	decode(t, "../compose.yaml", &compose)
	server := compose.Services["temporal"]
	for name, value := range server.Environment {
		t.Setenv(name, value)
	}
	t.Setenv("POSTGRES_PWD", "of the secret")
	t.Setenv("TEMPORAL_BROADCAST_ADDRESS", "172.18.0.5")
	loaded, err := config.Load(config.WithEmbedded())
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded.Persistence.NumHistoryShards; got != 512 {
		t.Errorf("%d shards", got)
	}
	for name, database := range map[string]string{loaded.Persistence.DefaultStore: "temporal", loaded.Persistence.VisibilityStore: "temporal_visibility"} {
		sql := loaded.Persistence.DataStores[name].SQL
		if sql == nil || sql.PluginName != "postgres12_pgx" || sql.ConnectAddr != "postgres:5432" || sql.DatabaseName != database || sql.User != "temporal" || sql.Password != "of the secret" {
			t.Errorf("%s: %+v", name, sql)
		}
	}
	if got := loaded.Services["frontend"].RPC; got.GRPCPort != 7233 || got.BindOnIP != "0.0.0.0" {
		t.Errorf("the frontend: %+v", got)
	}
	if metrics := loaded.Global.Metrics; metrics == nil || metrics.Prometheus == nil || metrics.Prometheus.ListenAddress != "0.0.0.0:9090" {
		t.Error("no metrics")
	}
	dynamic := loaded.DynamicConfigClient.Filepath
	for _, volume := range server.Volumes {
		if volume.Target == path.Dir(dynamic) {
			read(t, path.Join("..", volume.Source, path.Base(dynamic)))
			return
		}
	}
	t.Errorf("%s is not mounted", dynamic)
}

// The chart's network policy allows what the guard allows: each is a second protection.
func TestNetworkPolicyIsTheGuards(t *testing.T) {
	t.Parallel()
	var values struct {
		NetworkPolicy struct {
			Receivers []struct {
				CIDR   netip.Prefix
				Except []netip.Prefix
			}
		} `yaml:"networkPolicy"`
	}
	decode(t, "helm/switchboard/values.yaml", &values)
	lets := func(address netip.Addr) bool {
		for _, block := range values.NetworkPolicy.Receivers {
			if !block.CIDR.Contains(address) {
				continue
			}
			inside := true
			for _, except := range block.Except {
				inside = inside && !except.Contains(address)
			}
			if inside {
				return true
			}
		}
		return false
	}
	guard := webhook.NewGuard(nil)
	let, refused := 0, 0
	for _, address := range boundaries(append(ssrf.IPv4DeniedPrefixes, ssrf.IPv6DeniedPrefixes...)) {
		_, err := guard.Check(t.Context(), "http://"+netip.AddrPortFrom(address, 80).String())
		if lets(address) != (err == nil) {
			t.Errorf("%s: the guard says %v, the policy lets it through: %t", address, err, lets(address))
		}
		if err == nil {
			let++
		} else {
			refused++
		}
	}
	if let < 10 || refused < 30 {
		t.Errorf("%d addresses are let through and %d refused: the test asks the wrong ones", let, refused)
	}
}

// boundaries are the first and the last address of each prefix, their neighbours, and some special
// addresses of the guard: metadata services, and local ones in IPv6.
func boundaries(prefixes []netip.Prefix) []netip.Addr {
	var found []netip.Addr
	for _, prefix := range append(prefixes, ssrf.IPv6GlobalUnicast) {
		first, last := prefix.Masked().Addr(), lastOf(prefix)
		for _, address := range []netip.Addr{first.Prev(), first, last, last.Next()} {
			if address.IsValid() {
				found = append(found, address)
			}
		}
	}
	for _, text := range strings.Fields("169.254.169.254 168.63.129.16 168.63.129.15 168.63.129.17 100.100.100.200 fd00:ec2::254 fe80::1 ::1 8.8.8.8 2606:4700::1111") {
		found = append(found, netip.MustParseAddr(text))
	}
	return found
}

func lastOf(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Masked().Addr().AsSlice()
	for bit := prefix.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes) // of the original length
	return last
}

func decode(t *testing.T, file string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, file)), into); err != nil {
		t.Fatal(err)
	}
}
