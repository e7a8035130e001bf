// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"baton/locks"
	"baton/sim"
)

// FuzzQueue makes a sequence of calls on a queue and on a model of it. The first byte
// chooses the order and the capacity. Each other byte is a call. No switch happens between
// calls that do not wait, so wake-ups, cancels and shutdown race in every order.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 1, 1, 0, 0, 2, 3, 4})
	for i := range byte(12) {
		script := make([]byte, 300)
		random := rand.New(rand.NewPCG(2, uint64(i)))
		for j := range script {
			script[j] = byte(random.Uint32())
		}
		script[0] = i
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) == 0 || len(script) > 500 {
			return
		}
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			p := newQueueModel(int(script[0]))
			for _, b := range script[1:] {
				p.call(ctx, t, b)
				if t.Failed() {
					break
				}
			}
			settle(ctx)
			p.verify(t)
			p.q.Shutdown(true)
		})
	})
}

// A queueModel is a queue and a model of its state.
type queueModel struct {
	q        *locks.Queue[int]
	order    int
	capacity int
	shut     bool
	next     int // the next item to put
	items    []int
	getters  []int // indices into waiters, in order
	putters  []int

	waiters []*waiter
	values  []int    // what each waiter puts, or should get
	got     []int    // what each waiter has got
	states  []string // the expected states of the waiters, for want
}

func newQueueModel(kind int) *queueModel {
	p := &queueModel{order: kind % 3, capacity: kind / 3 % 4}
	switch p.order {
	case 0:
		p.q = locks.NewQueue[int](p.capacity)
	case 1:
		p.q = locks.NewLIFOQueue[int](p.capacity)
	case 2:
		p.q = locks.NewPriorityQueue(p.capacity, compareItems)
	}
	return p
}

// compareItems makes items of the same class equal.
func compareItems(a, b int) int { return cmp.Compare(a*7%5, b*7%5) }

func (p *queueModel) call(ctx context.Context, t *testing.T, b byte) {
	switch k := int(b >> 3); b & 7 {
	case 0, 1: // a task calls Put
		settle(ctx)
		v, i := p.next, p.join()
		p.next++
		p.waiters = append(p.waiters, wait(ctx, func(ctx context.Context) error { return p.q.Put(ctx, v) }))
		p.values[i] = v
		if p.shut {
			p.states[i] = locks.ErrShutdown.Error()
		} else if p.put(v) {
			p.states[i] = "ok"
		} else {
			p.putters = append(p.putters, i)
		}
	case 2, 3: // a task calls Get
		settle(ctx)
		i := p.join()
		p.waiters = append(p.waiters, wait(ctx, func(ctx context.Context) (err error) {
			p.got[i], err = p.q.Get(ctx)
			return err
		}))
		if v, ok := p.get(); ok {
			p.states[i], p.values[i] = "ok", v
		} else if p.shut {
			p.states[i] = locks.ErrShutdown.Error()
		} else {
			p.getters = append(p.getters, i)
		}
	case 4: // TryPut
		v := p.next
		p.next++
		if got, want := p.q.TryPut(v), !p.shut && p.put(v); got != want {
			t.Errorf("TryPut = %v, want %v", got, want)
		}
	case 5: // TryGet
		v, ok := p.q.TryGet()
		if w, want := p.get(); ok != want || ok && v != w {
			t.Errorf("TryGet = %d, %v, want %d, %v", v, ok, w, want)
		}
	case 6: // a cancel of any waiter
		if len(p.waiters) > 0 {
			i := k % len(p.waiters)
			p.waiters[i].Cancel(nil)
			if p.leave(&p.getters, i) || p.leave(&p.putters, i) {
				p.states[i] = "cancel"
			}
		}
	case 7: // rarely Shutdown, and otherwise a check of the state
		if k < 2 {
			p.shutdown(k == 1)
		} else {
			settle(ctx)
			p.verify(t)
		}
	}
}

// join adds a waiter to the model and returns its index.
func (p *queueModel) join() int {
	p.values, p.got = append(p.values, 0), append(p.got, 0)
	p.states = append(p.states, "-")
	return len(p.states) - 1
}

func (p *queueModel) leave(queue *[]int, i int) bool {
	j := slices.Index(*queue, i)
	if j >= 0 {
		*queue = slices.Delete(*queue, j, j+1)
	}
	return j >= 0
}

// put is the model's TryPut.
func (p *queueModel) put(v int) bool {
	if len(p.getters) > 0 {
		i := p.getters[0]
		p.getters = p.getters[1:]
		p.states[i], p.values[i] = "ok", v
		return true
	}
	if len(p.items) >= p.capacity {
		return false
	}
	p.items = append(p.items, v)
	return true
}

// get is the model's TryGet.
func (p *queueModel) get() (v int, ok bool) {
	if len(p.items) > 0 {
		at := 0
		switch p.order {
		case 1:
			at = len(p.items) - 1
		case 2:
			at = slices.Index(p.items, slices.MinFunc(p.items, compareItems))
		}
		v, ok = p.items[at], true
		p.items = slices.Delete(p.items, at, at+1)
	}
	if len(p.putters) > 0 && (ok || p.capacity == 0) {
		i := p.putters[0]
		p.putters = p.putters[1:]
		p.states[i] = "ok"
		if !ok {
			return p.values[i], true
		}
		p.items = append(p.items, p.values[i])
	}
	return v, ok
}

func (p *queueModel) shutdown(immediate bool) {
	p.q.Shutdown(immediate)
	p.shut = true
	for _, i := range append(p.getters, p.putters...) {
		p.states[i] = locks.ErrShutdown.Error()
	}
	p.getters, p.putters = nil, nil
	if immediate {
		p.items = nil
	}
}

// verify compares the queue with the model.
func (p *queueModel) verify(t *testing.T) {
	t.Helper()
	want(t, p.waiters, p.states...)
	if p.q.Len() != len(p.items) {
		t.Errorf("%d items in the queue, want %v", p.q.Len(), p.items)
	}
	for i, w := range p.waiters {
		if v := p.got[i]; w.done && w.err == nil && v != 0 && v != p.values[i] {
			t.Errorf("waiter %d got %d, want %d", i, v, p.values[i])
		}
	}
}
