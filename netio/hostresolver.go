// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"net/netip"
)

// A HostResolver looks up the addresses of a host, in the network "ip", "ip4" or "ip6".
// [Dialer], [ListenConfig] and [PacketConfig] take one: a table, a cache, or a protocol
// of the program's own.
//
// LookupNetIP runs on the task that dials or listens, under its ctx with the timeout of
// the look-up. It may switch; it must not block in another way, because it holds the
// baton. It is not called for a host that is an address already.
//
// The result is treated like that of the system: addresses of another family and
// repetitions are left out, and if none is left, the host does not exist. An error
// without a [*net.DNSError] is wrapped in one.
//
// [Resolver] is a HostResolver. So is a *net.Resolver, which blocks: these fields treat it
// as Resolver{Net: r}, and a HostResolver that calls a *net.Resolver should do the same.
type HostResolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}
