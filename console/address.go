package console

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf returns the person's address: the connected peer or, if that is one of our proxies, the
// address in X-Forwarded-For. Each proxy appends the address that connected to it. So the header is
// read from its end, up to the first address that is not one of our proxies: its owner may have
// written everything before it.
func (c *Console) addressOf(r *http.Request) string {
	address := peerOf(r)
	for rest := strings.Join(r.Header.Values("X-Forwarded-For"), ","); rest != "" && c.isProxy(address); {
		comma := strings.LastIndexByte(rest, ',')
		before, ok := forwardedAddress(rest[comma+1:])
		if !ok {
			break
		}
		address, rest = before, rest[:max(comma, 0)]
	}
	return address
}

// isProxy reports whether an address belongs to one of our proxies.
func (c *Console) isProxy(address string) bool {
	ip, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(c.Proxies, func(p netip.Prefix) bool { return p.Contains(ip.WithZone("")) })
}

// forwardedAddress parses an element of X-Forwarded-For. Some proxies also write the port.
func forwardedAddress(element string) (string, bool) {
	element = strings.TrimSpace(element)
	if withPort, err := netip.ParseAddrPort(element); err == nil {
		return withPort.Addr().Unmap().String(), true
	}
	ip, err := netip.ParseAddr(element)
	return ip.Unmap().String(), err == nil
}

// peerOf returns the address of the connected peer, without its port.
func peerOf(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return peer.Addr().Unmap().String()
}
