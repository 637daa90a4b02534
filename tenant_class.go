package switchboard

import (
	"fmt"
	"regexp"
	"strings"
)

// TenantClasses assigns tenants to classes. Metrics are by class, and never by tenant: there may be
// as many tenants as customers, and each would be a series for every other label.
type TenantClasses struct {
	rows []tenantClass // the first that names a tenant counts
}

// tenantClass is one class with its tenants. A name that ends in * is a prefix.
type tenantClass struct {
	name    string
	tenants []string
}

// The classes that need no setting.
const (
	// ClassStandard is the class of tenants that no class names.
	ClassStandard = "standard"
	// ClassPlatform is the class of callers that belong to no tenant: the platform itself and operators.
	ClassPlatform = "platform"
	// ClassNone is the class of unknown callers.
	ClassNone = "none"
)

// maxTenantClasses bounds the series of metrics.
const maxTenantClasses = 8

var classPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// UnmarshalText reads classes as "gold=acme+globex,trial=trial-*".
func (c *TenantClasses) UnmarshalText(text []byte) error {
	c.rows = nil
	if len(text) == 0 {
		return nil
	}
	for row := range strings.SplitSeq(string(text), ",") {
		name, list, _ := strings.Cut(row, "=")
		switch {
		case !classPattern.MatchString(name):
			return fmt.Errorf("%q is not a class: it has small letters, digits and _", name)
		case name == ClassStandard || name == ClassPlatform || name == ClassNone:
			return fmt.Errorf("%s is already the class of tenants that are not named", name)
		}
		tenants := strings.Split(list, "+")
		for _, tenant := range tenants {
			if err := ValidateTenant(strings.TrimSuffix(tenant, "*")); err != nil {
				return fmt.Errorf("class %s: %q is not the name of a tenant, or the beginning of one and *", name, tenant)
			}
		}
		c.rows = append(c.rows, tenantClass{name, tenants})
	}
	if len(c.rows) > maxTenantClasses {
		return fmt.Errorf("there are %d classes, and %d at most are allowed", len(c.rows), maxTenantClasses)
	}
	return nil
}

// MarshalText writes the classes in the form of UnmarshalText.
func (c TenantClasses) MarshalText() ([]byte, error) {
	var rows []string
	for _, row := range c.rows {
		rows = append(rows, row.name+"="+strings.Join(row.tenants, "+"))
	}
	return []byte(strings.Join(rows, ",")), nil
}

// Of returns the class of a tenant.
func (c TenantClasses) Of(tenant string) string {
	for _, row := range c.rows {
		for _, name := range row.tenants {
			if prefix, is := strings.CutSuffix(name, "*"); name == tenant || is && strings.HasPrefix(tenant, prefix) {
				return row.name
			}
		}
	}
	return ClassStandard
}

// OfCaller returns the class of a caller: that of its tenant, if it has one.
func (c TenantClasses) OfCaller(caller Caller) string {
	switch {
	case caller.Tenant != "":
		return c.Of(caller.Tenant)
	case caller.Role != "":
		return ClassPlatform
	}
	return ClassNone
}
