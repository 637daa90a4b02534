package store

import (
	"encoding/json"
	"slices"
)

// tenantsNamed lists the tenants that an answer of the API names, so that the stored answer
// goes with their erasure. An answer that names none, as that of a preview, may be
// anybody's, and goes with each.
func tenantsNamed(answer []byte) []string {
	var document any
	tenants := []string{}
	if json.Unmarshal(answer, &document) != nil {
		return tenants
	}
	var walk func(any)
	walk = func(value any) {
		switch v := value.(type) {
		case map[string]any:
			if tenant, ok := v["tenant"].(string); ok {
				tenants = append(tenants, tenant)
			}
			for _, member := range v {
				walk(member)
			}
		case []any:
			for _, element := range v {
				walk(element)
			}
		}
	}
	walk(document)
	slices.Sort(tenants)
	return slices.Compact(tenants)
}
