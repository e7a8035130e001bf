// SPDX-License-Identifier: Apache-2.0

// Package locks decides which task may go on: mutexes, events, conditions,
// semaphores, limiters, barriers and queues.
//
//	var mu locks.Mutex
//
//	if err := mu.Lock(ctx); err != nil { // may switch
//		return err
//	}
//	defer mu.Unlock() // never switches
//
// Tasks of one loop run one at a time, so plain state needs no lock between two
// switch points. A lock is for what must stay together across one: a request
// and its answer on one connection, a value that is checked, awaited and then
// changed.
//
// # What all of them promise
//
// Calls that take a ctx may switch and end when it is cancelled, with the
// *task.Canceled; all others never switch and may be called from callbacks as
// well.
//
// Waiting is first come, first served, and what is waited for is handed over by
// whoever frees it: nobody overtakes a task that has been woken. A wake-up beats
// a cancel: a call has either got what it waited for, and returns nil, or it has
// had no effect. So neither a lock nor an item nor a wake-up is ever lost.
//
// Calls that need not wait spend some of their task's budget, and yield once it
// is used up.
//
// Each primitive belongs to one loop at a time. It binds itself to none, so it may
// serve one task.Run after another, but tasks of two loops that meet in one are
// misuse and panic. So does a wake-up from a goroutine that does not hold the
// baton; a task.Portal is the way in for those. None may be copied once it is in
// use; go vet finds who does.
package locks
