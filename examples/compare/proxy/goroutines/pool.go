// SPDX-License-Identifier: Apache-2.0

package goroutines

import (
	"context"
	"errors"
	"slices"
	"sync"

	"baton/examples/compare/proxy"
)

// A pool has the slots. While connections wait, no slot is free for them.
type pool struct {
	cfg      proxy.Config
	backends []*backend

	mu      sync.Mutex      // protects the fields below, and the backends
	next    int             // the index of the backend that is next
	active  int             // slots that are taken
	waiting []chan *backend // each has space for one backend

	refused, timedOut, failed int
}

type backend struct {
	address string
	healthy bool
	streak  int // checks in a row with the opposite result
	active  int // slots that are taken
	served  int
}

func newPool(addresses []string, cfg proxy.Config) *pool {
	p := &pool{cfg: cfg}
	for _, address := range addresses {
		p.backends = append(p.backends, &backend{address: address, healthy: true})
	}
	return p
}

func (p *pool) stats() proxy.Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := proxy.Stats{Waiting: len(p.waiting), Refused: p.refused, TimedOut: p.timedOut, Failed: p.failed}
	for _, b := range p.backends {
		s.Backends = append(s.Backends, proxy.BackendStats{
			Address: b.address, Healthy: b.healthy, Active: b.active, Served: b.served,
		})
	}
	return s
}

// taken returns how many slots are taken.
func (p *pool) taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.active
}

// acquire takes a slot, and waits for one if necessary. It returns nil if there is none.
func (p *pool) acquire(ctx context.Context) *backend {
	p.mu.Lock()
	if b := p.pick(); b != nil {
		p.mu.Unlock()
		return b
	}
	if len(p.waiting) >= p.cfg.MaxWaiting {
		p.refused++
		p.mu.Unlock()
		return nil
	}
	slot := make(chan *backend, 1)
	p.waiting = append(p.waiting, slot)
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(ctx, p.cfg.WaitTimeout)
	defer cancel()
	select {
	case b := <-slot:
		return b
	case <-ctx.Done():
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.waiting, slot)
	if i < 0 { // grant has sent a backend meanwhile
		return <-slot
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.timedOut++
	}
	return nil
}

// release frees a slot.
func (p *pool) release(b *backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active--
	b.active--
	p.grant()
}

// accepted counts a connection to a backend.
func (p *pool) accepted(b *backend) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.served++
}

// gaveUp counts a connection without a backend.
func (p *pool) gaveUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed++
}

// checked records the result of a check.
func (p *pool) checked(b *backend, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ok == b.healthy {
		b.streak = 0
		return
	}
	b.streak++
	if ok && b.streak >= p.cfg.Rise || !ok && b.streak >= p.cfg.Fall {
		b.healthy, b.streak = ok, 0
		p.grant()
	}
}

// The caller of a method below holds the mutex.

// grant gives free slots to waiting connections.
func (p *pool) grant() {
	for len(p.waiting) > 0 {
		b := p.pick()
		if b == nil {
			return
		}
		p.waiting[0] <- b
		p.waiting = p.waiting[1:]
	}
}

// pick takes a slot of the next backend with a free slot. It returns nil if there is none.
func (p *pool) pick() *backend {
	if p.active >= p.cfg.MaxConns {
		return nil
	}
	for range p.backends {
		b := p.backends[p.next]
		p.next = (p.next + 1) % len(p.backends)
		if b.healthy && b.active < p.cfg.MaxPerBackend {
			p.active++
			b.active++
			return b
		}
	}
	return nil
}
