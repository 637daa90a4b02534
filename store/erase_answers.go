package store

import (
	"encoding/json"
	"slices"
)

// tenantsNamed lists the tenants that an answer of the API names, because the stored answer is
// erased with them. An answer that names no tenant, such as that of a preview, may belong to any of
// them, and is erased with each.
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
