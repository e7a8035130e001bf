// SPDX-License-Identifier: Apache-2.0

package tasks

import (
	"context"
	"errors"

	"baton/await"
	"baton/examples/compare/proxy"
	"baton/netio"
	"baton/task"
)

// A pool has the slots. While connections wait, no slot is free for them.
type pool struct {
	cfg      proxy.Config
	dialer   netio.Dialer
	backends []*backend
	next     int // the index of the backend that is next
	active   int // slots that are taken

	waiting task.WaitQueue
	granted []*backend // slots for tasks that were woken and have not run yet

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
	s := proxy.Stats{Waiting: p.waiting.Len(), Refused: p.refused, TimedOut: p.timedOut, Failed: p.failed}
	for _, b := range p.backends {
		s.Backends = append(s.Backends, proxy.BackendStats{
			Address: b.address, Healthy: b.healthy, Active: b.active, Served: b.served,
		})
	}
	return s
}

// acquire takes a slot, and waits for one if necessary. It returns nil if there is none.
func (p *pool) acquire(ctx context.Context) *backend {
	if b := p.pick(); b != nil {
		return b
	}
	if p.waiting.Len() >= p.cfg.MaxWaiting {
		p.refused++
		return nil
	}
	ctx, release := await.WithTimeout(ctx, p.cfg.WaitTimeout)
	defer release()
	if err := p.waiting.Wait(ctx, task.Text("a slot")); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			p.timedOut++
		}
		return nil
	}
	b := p.granted[0]
	p.granted = p.granted[1:]
	return b
}

// release frees a slot.
func (p *pool) release(b *backend) {
	p.active--
	b.active--
	p.grant()
}

// grant gives free slots to waiting connections.
func (p *pool) grant() {
	for p.waiting.Len() > 0 {
		b := p.pick()
		if b == nil {
			return
		}
		p.granted = append(p.granted, b)
		p.waiting.WakeOne()
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

// checked records the result of a check.
func (p *pool) checked(b *backend, ok bool) {
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
