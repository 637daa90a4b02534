package switchboard

import (
	"errors"
	"strings"
	"testing"
)

func TestCharsetOfARequest(t *testing.T) {
	t.Parallel()
	for media, right := range map[string]bool{
		"application/json":                                      true,
		"application/json; charset=utf-8":                       true,
		`application/json; charset="UTF-8"`:                     true,
		"text/xml;charset=utf8":                                 true,
		"text/plain; charset=us-ascii":                          true,
		"text/xml; charset=windows-1255":                        false,
		"application/xml; charset=iso-8859-1":                   false,
		`application/xml; CharSet="ISO-8859-1"`:                 false,
		"application/json; charset=utf-16":                      false,
		"application/json; charset*=utf-8''utf-16":              false,
		"application/json; charset*0=utf-; charset*1=16":        false,
		"application/x-www-form-urlencoded; charset=iso-8859-1": false,
		"text/csv; charset=latin1":                              false,
		"application/soap+xml; charset=utf-16":                  false,
	} {
		s := Subscription{Tenant: "acme", Name: "a", Events: []string{"*"}, Request: Request{URL: "https://r.test/", Body: BodyData, ContentType: media}}
		s.SetDefaults()
		err := s.Validate()
		var fault *Error
		switch {
		case right && err != nil:
			t.Errorf("%s: %v", media, err)
		case !right && (!errors.As(err, &fault) || fault.Field != "request.content_type" || !strings.Contains(fault.Message, "UTF-8")):
			t.Errorf("%s: %v", media, err)
		}
	}
}
