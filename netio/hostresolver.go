// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net/netip"
)

// A HostResolver looks up the addresses of a host, in the network "ip", "ip4" or "ip6". The
// Resolver field of a [Dialer], [ListenConfig] or [PacketConfig] accepts one, such as a
// table, a cache, or another protocol.
//
// LookupNetIP runs on the task that dials or listens. Its ctx is the task's, with the
// timeout of the look-up. It may switch, but must not block in any other way, because it
// holds the baton. It is not called if the host is already an address.
//
// The caller removes addresses of other families and repetitions from the result. If none
// is left, the host does not exist. An error without a [*net.DNSError] is wrapped in one.
//
// [Resolver] is a HostResolver. A *net.Resolver is one too, but blocks: Dial and Listen use
// it as Resolver{Net: r}. A HostResolver that calls a *net.Resolver should do the same.
type HostResolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}
