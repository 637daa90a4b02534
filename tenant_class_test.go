package switchboard_test

import (
	"testing"

	"github.com/seed-49a43567/switchboard"
)

func TestTenantClasses(t *testing.T) {
	t.Parallel()
	var classes switchboard.TenantClasses
	if err := classes.UnmarshalText([]byte("gold=acme+globex,trial=trial-*")); err != nil {
		t.Fatal(err)
	}
	for tenant, want := range map[string]string{
		"acme": "gold", "globex": "gold", "trial-7": "trial", "trial": "standard", "acme2": "standard", "": "standard",
	} {
		if got := classes.Of(tenant); got != want {
			t.Errorf("%q is of the class %q, want %q", tenant, got, want)
		}
	}
	for _, c := range []struct {
		caller switchboard.Caller
		want   string
	}{
		{switchboard.Caller{Role: switchboard.RolePublisher, Tenant: "acme"}, "gold"},
		{switchboard.Caller{Role: switchboard.RolePublisher, Tenant: "other"}, "standard"},
		{switchboard.Caller{Role: switchboard.RoleAdmin}, "platform"},
		{switchboard.Caller{}, "none"},
	} {
		if got := classes.OfCaller(c.caller); got != c.want {
			t.Errorf("%+v is of the class %q, want %q", c.caller, got, c.want)
		}
	}
	if text, _ := classes.MarshalText(); string(text) != "gold=acme+globex,trial=trial-*" {
		t.Errorf("written as %s", text)
	}
}

func TestTenantClassesRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"gold",
		"gold=",
		"Gold=acme",
		"standard=acme",
		"platform=acme",
		"gold=a b",
		"gold=*",
		"gold=acme,",
		"a=a,b=b,c=c,d=d,e=e,f=f,g=g,h=h,i=i",
	} {
		if err := new(switchboard.TenantClasses).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if err := new(switchboard.TenantClasses).UnmarshalText(nil); err != nil {
		t.Errorf("none: %v", err)
	}
}
