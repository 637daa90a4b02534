package webhook

import "net/netip"

// wellKnownNAT64 is the prefix of IPv4 addresses in an IPv6-only network that has no prefix of its
// own (RFC 6052 2.1).
const wellKnownNAT64 = "64:ff9b::/96"

// IsNAT64Prefix reports whether the prefix has one of the lengths of RFC 6052 2.2 and a zero octet
// where that requires it.
func IsNAT64Prefix(p netip.Prefix) bool {
	switch p.Bits() {
	case 32, 40, 48, 56, 64, 96:
		return p.Addr().Is6() && !p.Addr().Is4In6() && p.Addr().As16()[zeroOctet] == 0
	}
	return false
}

// zeroOctet is the octet that is always zero and not part of the IPv4 address (RFC 6052 2.2,
// bits 64 to 71).
const zeroOctet = 8

// translated returns the IPv4 address that a NAT64 with that prefix connects to for addr, an
// address in the prefix. It returns the zero Addr if addr contains none.
func translated(prefix netip.Prefix, addr netip.Addr) netip.Addr {
	octets := addr.As16()
	if octets[zeroOctet] != 0 {
		return netip.Addr{}
	}
	var v4 [4]byte
	from := prefix.Bits() / 8
	for i := range v4 {
		if from == zeroOctet {
			from++
		}
		v4[i] = octets[from]
		from++
	}
	return netip.AddrFrom4(v4)
}
