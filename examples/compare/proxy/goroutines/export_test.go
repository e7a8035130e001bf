// SPDX-License-Identifier: Apache-2.0

package goroutines

import (
	"context"

	"baton/examples/compare/proxy"
)

// A Pool is the part of the proxy without sockets. So it can be tested in a bubble of
// testing/synctest, where time jumps. The rest cannot: in a bubble, a goroutine that waits
// for a socket keeps the time from passing.
type Pool struct{ p *pool }

func NewPool(addresses []string, cfg proxy.Config) Pool {
	return Pool{newPool(addresses, cfg.Defaults())}
}

// Acquire takes a slot, and returns the address of its backend, or "" if there is none.
func (p Pool) Acquire(ctx context.Context) (address string, release func()) {
	b := p.p.acquire(ctx)
	if b == nil {
		return "", nil
	}
	return b.address, func() { p.p.release(b) }
}

// Checked is the result of a check of backend i.
func (p Pool) Checked(i int, ok bool) { p.p.checked(p.p.backends[i], ok) }

func (p Pool) Stats() proxy.Stats { return p.p.stats() }
