// SPDX-License-Identifier: Apache-2.0

package goroutines

import (
	"context"

	"baton/examples/compare/proxy"
)

// A Pool is the part of the proxy without sockets. It can be tested in a bubble of
// testing/synctest, where time is virtual. The rest cannot: while a goroutine of a bubble waits
// for a socket, the time of the bubble does not advance.
type Pool struct{ p *pool }

func NewPool(addresses []string, cfg proxy.Config) Pool {
	return Pool{newPool(addresses, cfg.Defaults())}
}

// Acquire takes a slot. It returns the address of the slot's backend, or "" if there is none.
func (p Pool) Acquire(ctx context.Context) (address string, release func()) {
	b := p.p.acquire(ctx)
	if b == nil {
		return "", nil
	}
	return b.address, func() { p.p.release(b) }
}

// Checked records the result of a check of backend i.
func (p Pool) Checked(i int, ok bool) { p.p.checked(p.p.backends[i], ok) }

func (p Pool) Stats() proxy.Stats { return p.p.stats() }
