// SPDX-License-Identifier: Apache-2.0

package locks

import (
	"context"
	"errors"
	"iter"
	"math"

	"baton/task"
)

// Unbounded is the capacity of a queue in which Put never waits. Nothing then
// slows down a producer that is faster than its consumers, so memory is the
// limit.
const Unbounded = math.MaxInt

// ErrShutdown is returned by Put and Get of a queue that was shut down.
var ErrShutdown = errors.New("locks: queue shut down")

// A Queue hands items from tasks to tasks. There is one type for all orders;
// the constructor chooses. The zero value has no room: every Put waits for a
// Get, as with an unbuffered channel.
//
// An item is in the queue from the moment in which there is room for it, or
// somebody to take it, even if the task in Put runs only later. Before that it
// counts neither for Len nor for Join.
type Queue[T any] struct {
	capacity int
	len      int
	ring     ring[T]  // the items, first in, first out,
	order    order[T] // unless there is another order

	// getters wait only while there is neither an item nor a putter, and putters
	// only while there is no room.
	getters, putters line[T]

	unfinished int // items put, and not reported by TaskDone
	joiners    task.WaitQueue
	shut       bool
}

// NewQueue returns a queue, first in, first out, with room for so many items.
// With no room at all Put waits for a Get. A negative capacity panics.
func NewQueue[T any](capacity int) *Queue[T] { return newQueue[T](capacity, nil) }

// NewLIFOQueue is like NewQueue, but last in, first out.
func NewLIFOQueue[T any](capacity int) *Queue[T] { return newQueue(capacity, &stack[T]{}) }

// NewPriorityQueue is like NewQueue, but Get returns the least item, as compare
// says (see cmp.Compare), and equal ones in the order of Put. Only what is in the
// queue is compared: tasks that wait in Put get in by the order of their coming,
// so with no room at all there is no other order. compare runs inside the queue's
// calls and must not make any.
func NewPriorityQueue[T any](capacity int, compare func(a, b T) int) *Queue[T] {
	if compare == nil {
		misuse("a priority queue without a function that compares; use cmp.Compare for what is ordered")
	}
	return newQueue(capacity, &heap[T]{compare: compare})
}

func newQueue[T any](capacity int, order order[T]) *Queue[T] {
	if capacity < 0 {
		misuse("a queue with a capacity of %d; use locks.Unbounded for one without a limit", capacity)
	}
	return &Queue[T]{capacity: capacity, order: order}
}

// Put puts an item into the queue, waiting for room. It may switch. After
// Shutdown the error is ErrShutdown; with any error the item is not in the
// queue.
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
	_, err = q.putters.wait(ctx, r, item, "room in a queue")
	return err
}

// TryPut is Put where that need not wait. It reports whether the item is in
// the queue; if not the queue is full or was shut down. It never switches.
func (q *Queue[T]) TryPut(item T) bool {
	switch {
	case q.shut:
		return false
	case q.getters.head != nil:
		q.getters.mayWake("a call of a queue")
		q.getters.wake(item, nil)
	case q.len < q.capacity:
		q.push(item)
	default:
		return false
	}
	q.unfinished++
	return true
}

// Get takes the next item out of the queue, waiting for one. It may switch.
// After Shutdown it returns what is left, and then ErrShutdown.
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

// TryGet is Get where that need not wait. It reports whether there was an item.
// It never switches. The room that it makes goes to the task that has waited
// longest in Put.
func (q *Queue[T]) TryGet() (item T, ok bool) {
	if q.putters.head != nil {
		return q.takeOver()
	}
	if q.len == 0 {
		return item, false
	}
	return q.pop(), true
}

// takeOver is TryGet when a task waits in Put: there is an item in any case.
func (q *Queue[T]) takeOver() (T, bool) {
	q.putters.mayWake("a call of a queue")
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

// push puts an item among those that the queue has room for.
//
// push and pop keep the usual order apart: through the interface a Put and a Get
// would take a third longer.
func (q *Queue[T]) push(item T) {
	q.len++
	if q.order != nil {
		q.order.push(item)
	} else {
		q.ring.push(item)
	}
}

// pop takes the next of at least one item.
func (q *Queue[T]) pop() T {
	q.len--
	if q.order != nil {
		return q.order.pop()
	}
	return q.ring.pop()
}

// All returns the items as they come, for use with range: each step is a Get, and
// may switch. The range ends after Shutdown, when nothing is left; if ctx is
// cancelled its last step has the error. Only the task that ctx belongs to can
// range over it.
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

// Len returns the number of items in the queue, without those of tasks that
// wait in Put.
func (q *Queue[T]) Len() int { return q.len }

// Cap returns the capacity, which is Unbounded for a queue without a limit.
func (q *Queue[T]) Cap() int { return q.capacity }

// TaskDone reports that an item taken out of the queue has been dealt with, for
// those who wait in Join. More reports than there were items are misuse and
// panic.
func (q *Queue[T]) TaskDone() {
	if q.unfinished == q.len {
		misuse("TaskDone of a queue that has no unfinished items")
	}
	mayWake(q.joiners.First(), "TaskDone")
	q.finish(1)
}

// finish counts n items as dealt with. The caller has asked mayWake.
func (q *Queue[T]) finish(n int) {
	q.unfinished -= n
	if q.unfinished == 0 {
		q.joiners.WakeAll()
	}
}

// Join waits until TaskDone has been called for every item ever put. It may
// switch.
func (q *Queue[T]) Join(ctx context.Context) error {
	if _, err := task.Checkpoint(ctx); err != nil {
		return err
	}
	if q.unfinished == 0 {
		return nil
	}
	return q.joiners.Wait(ctx, task.Text("the items of a queue to be done"))
}

// Shutdown ends the queue: Put fails, also for tasks that wait in it, and Get does
// when nothing is left. If immediate, what is left is dropped, and counts as dealt
// with; a second call can only add that. It never switches. Tasks in Join go on
// waiting for what was taken and not reported, or is left.
func (q *Queue[T]) Shutdown(immediate bool) {
	q.getters.mayWake("Shutdown")
	q.putters.mayWake("Shutdown")
	mayWake(q.joiners.First(), "Shutdown")
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
