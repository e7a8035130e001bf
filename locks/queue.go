// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"
	"errors"
	"iter"
	"math"

	"baton/task"
)

// Unbounded is the capacity of a queue in which Put never waits. A producer that is faster
// than its consumers then fills the memory.
const Unbounded = math.MaxInt

// ErrShutdown is returned by Put and Get after Shutdown.
var ErrShutdown = errors.New("locks: queue shut down")

// A Queue passes items between tasks. The constructor determines the order of the items.
// The zero value has capacity 0: every Put waits for a Get, as in an unbuffered channel.
//
// An item is in the queue as soon as there is space for it, or as soon as a task takes it,
// even if the task in Put has not run since. Before that moment, Len and Join do not count
// the item.
type Queue[T any] struct {
	capacity int
	len      int
	ring     ring[T]  // the items, if order is nil: first in, first out
	order    order[T] // the items otherwise

	// getters wait only while there is neither an item nor a putter. putters wait only
	// while there is no space.
	getters, putters waitList[T]

	unfinished int // the number of items put, minus the calls of TaskDone
	joiners    task.WaitQueue
	shut       bool
}

// NewQueue returns a queue for up to capacity items: first in, first out. With capacity 0,
// Put waits for a Get. NewQueue panics if capacity is negative.
func NewQueue[T any](capacity int) *Queue[T] { return newQueue[T](capacity, nil) }

// NewLIFOQueue is like NewQueue, but its order is last in, first out.
func NewLIFOQueue[T any](capacity int) *Queue[T] { return newQueue(capacity, &stack[T]{}) }

// NewPriorityQueue is like NewQueue, but Get returns the smallest item according to compare
// (see cmp.Compare), and equal items in the order of Put. Only items in the queue are
// compared: tasks that wait in Put are served in the order of their arrival. So with
// capacity 0, compare has no effect. compare runs inside calls of the queue, and must not
// call the queue. NewPriorityQueue panics if compare is nil.
func NewPriorityQueue[T any](capacity int, compare func(a, b T) int) *Queue[T] {
	if compare == nil {
		misuse("a priority queue without a compare function; pass cmp.Compare for ordered types")
	}
	return newQueue(capacity, &heap[T]{compare: compare})
}

func newQueue[T any](capacity int, order order[T]) *Queue[T] {
	if capacity < 0 {
		misuse("a queue with a capacity of %d; use locks.Unbounded for a queue without a limit", capacity)
	}
	return &Queue[T]{capacity: capacity, order: order}
}

// Put puts an item into the queue, and waits until there is space for it. It may switch.
// After Shutdown it returns ErrShutdown. With an error, the item is not in the queue.
func (q *Queue[T]) Put(ctx context.Context, item T) error {
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return err
	}
	if q.TryPut(item) {
		return nil
	}
	if q.shut {
		return ErrShutdown
	}
	_, err = q.putters.wait(ctx, r, item, "space in a queue")
	return err
}

// TryPut is like Put, but does not wait. It reports whether the item is in the queue. It
// returns false if the queue is full or was shut down. It never switches.
func (q *Queue[T]) TryPut(item T) bool {
	switch {
	case q.shut:
		return false
	case q.getters.head != nil:
		q.getters.mustHoldBaton("a call of a queue")
		q.getters.wake(item, nil)
	case q.len < q.capacity:
		q.push(item)
	default:
		return false
	}
	q.unfinished++
	return true
}

// Get takes the next item out of the queue, and waits until there is one. It may switch.
// After Shutdown it returns the remaining items, and then ErrShutdown.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	var none T
	r, err := task.Checkpoint(ctx)
	if err != nil {
		return none, err
	}
	if item, ok := q.TryGet(); ok {
		return item, nil
	}
	if q.shut {
		return none, ErrShutdown
	}
	return q.getters.wait(ctx, r, none, "an item of a queue")
}

// TryGet is like Get, but does not wait. It reports whether there was an item. It never
// switches. If a task waits in Put, the freed space passes to the task that has waited
// longest.
func (q *Queue[T]) TryGet() (item T, ok bool) {
	if q.putters.head != nil {
		return q.takeOver()
	}
	if q.len == 0 {
		return item, false
	}
	return q.pop(), true
}

// takeOver is TryGet while a task waits in Put, so that there is always an item.
func (q *Queue[T]) takeOver() (T, bool) {
	q.putters.mustHoldBaton("a call of a queue")
	var none T
	if q.len == 0 {
		q.unfinished++
		return q.putters.wake(none, nil), true
	}
	item := q.pop()
	q.push(q.putters.wake(none, nil))
	q.unfinished++
	return item, true
}

// push stores an item. The caller has checked that there is space.
//
// push and pop call the ring directly: through the interface, a Put and a Get would take a
// third longer.
func (q *Queue[T]) push(item T) {
	q.len++
	if q.order != nil {
		q.order.push(item)
	} else {
		q.ring.push(item)
	}
}

// pop removes the next item. There must be at least one.
func (q *Queue[T]) pop() T {
	q.len--
	if q.order != nil {
		return q.order.pop()
	}
	return q.ring.pop()
}

// All returns an iterator over the items. Each step of the range is a Get, and may switch.
// The range ends after Shutdown, when no item is left. If ctx is cancelled, the last step
// has the error. Only the task to which ctx belongs may use the iterator.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			item, err := q.Get(ctx)
			if err == ErrShutdown || !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// Len returns the number of items in the queue. Items of tasks that wait in Put do not
// count.
func (q *Queue[T]) Len() int { return q.len }

// Cap returns the capacity. It is Unbounded for a queue without a limit.
func (q *Queue[T]) Cap() int { return q.capacity }

// TaskDone reports that an item taken from the queue has been processed, so that Join can
// return. It panics if it is called more often than items were taken.
func (q *Queue[T]) TaskDone() {
	if q.unfinished == q.len {
		misuse("TaskDone of a queue that has no unfinished items; call it once for each item taken")
	}
	mustHoldBaton(q.joiners.First(), "TaskDone")
	q.finish(1)
}

// finish counts n items as processed. The caller has called mustHoldBaton.
func (q *Queue[T]) finish(n int) {
	q.unfinished -= n
	if q.unfinished == 0 {
		q.joiners.WakeAll()
	}
}

// Join waits until TaskDone was called for every item that was put. It may switch.
func (q *Queue[T]) Join(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	if q.unfinished == 0 {
		return nil
	}
	return q.joiners.Wait(ctx, task.Text("the items of a queue to be done"))
}

// Shutdown closes the queue. From now on, Put returns ErrShutdown, also in tasks that wait.
// Get returns ErrShutdown when no item is left. If immediate is true, Shutdown drops the
// remaining items and counts them as processed. It may be called again, to drop the
// remaining items. It never switches. Tasks in Join still wait for all items that were not
// dropped and for which TaskDone was not called.
func (q *Queue[T]) Shutdown(immediate bool) {
	q.getters.mustHoldBaton("Shutdown")
	q.putters.mustHoldBaton("Shutdown")
	mustHoldBaton(q.joiners.First(), "Shutdown")
	q.shut = true
	var none T
	for q.getters.head != nil {
		q.getters.wake(none, ErrShutdown)
	}
	for q.putters.head != nil {
		q.putters.wake(none, ErrShutdown)
	}
	if !immediate || q.len == 0 {
		return
	}
	dropped := q.len
	for q.len > 0 {
		q.pop()
	}
	q.finish(dropped)
}

// IsShutdown reports whether Shutdown was called.
func (q *Queue[T]) IsShutdown() bool { return q.shut }
