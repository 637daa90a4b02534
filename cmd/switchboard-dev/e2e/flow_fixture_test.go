package e2e

import "os"

// fullSize reports whether the tests of flow control have the size of the issue, which takes
// minutes instead of seconds.
func fullSize() bool { return os.Getenv("SWITCHBOARD_E2E_FULL") != "" }

// beside starts another process of the same system, with a separate address.
func (p *process) beside() *process {
	p.t.Helper()
	s := *p.system
	s.config.Listen, s.log = freeAddr(p.t), newLog(p.t)
	another := &process{system: &s, binary: p.binary, env: p.env}
	p.t.Cleanup(another.kill)
	another.start()
	return another
}

// awaitAllDelivered waits until that many are delivered and nothing else is left, and checks that
// no promise is broken.
func (s *system) awaitAllDelivered(count int) {
	s.t.Helper()
	awaitFor(s.t, loadTimeout, "nothing open", func() bool { return s.count("pending,retrying,held,blocked") == 0 })
	if n := s.count("delivered"); n != count {
		s.t.Errorf("%d delivered, want %d; %d failed, %d cancelled", n, count, s.count("failed"), s.count("cancelled"))
	}
	s.awaitNothingOpen()
	s.wantVerified()
}

// wantVerified checks that no promise is broken.
func (s *system) wantVerified() {
	s.t.Helper()
	if printed, kept := s.verify(); !kept {
		s.t.Errorf("verify:\n%s", printed)
	}
}
