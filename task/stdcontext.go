// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"sync"
	"time"
)

// A shadow is the standard library's view of a node: a real cancelCtx, so that
// context.Cause works and contexts derived by the standard library are its
// children, cancelled with it and with the same Err and Cause, without a
// goroutine. It is made when somebody first needs it.
type stdContext struct {
	ctx    context.Context         // the cancelCtx; its parent is gate
	parent *stdParent              // ends it as a deadline
	stop   context.CancelCauseFunc // ends it as a cancel
}

// cancel passes c on to the standard library, from the holder's goroutine or
// from that of a maker which came late. It may be called twice, at the same
// time too: the first one counts.
func (s *stdContext) cancel(c *Canceled) {
	if c.deadline {
		s.parent.expire(c)
	} else {
		s.stop(c.Cause)
	}
}

// A gate is the parent of a shadow's cancelCtx. A CancelCauseFunc can only make
// Err context.Canceled; a parent that has ended can make it anything. So the
// gate ends with context.DeadlineExceeded and brings the cause.
type stdParent struct {
	mu          sync.Mutex
	done        chan struct{}
	cancelChild func()          // of the one child
	cause       context.Context // set when the gate has ended
}

// Deadline has nothing to tell: Deadline of the node does, and comes first.
func (g *stdParent) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done must not be nil, or WithCancelCause would take the gate for a context
// that never ends, and not ask it for AfterFunc.
func (g *stdParent) Done() <-chan struct{} { return g.done }

// Err is what this is all for: the one error that a gate can end with.
func (g *stdParent) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		return nil
	}
	return context.DeadlineExceeded
}

// Value answers context.Cause, which asks for the cancelCtx behind a context:
// once the gate has ended, one that ended with the right cause.
func (g *stdParent) Value(key any) any {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		return nil
	}
	return g.cause.Value(key)
}

// AfterFunc takes the child that context.WithCancelCause makes, in place of the
// goroutine that it would start otherwise. It asks once, while the shadow is
// made, before the gate can end.
func (g *stdParent) AfterFunc(f func()) func() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cancelChild = f
	return func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		had := g.cancelChild != nil
		g.cancelChild = nil
		return had
	}
}

// expire ends the gate with c's cause. The child is told without the lock: it
// asks the gate for Err and cause in the call.
func (g *stdParent) expire(c *Canceled) {
	ended, stop := context.WithCancelCause(context.Background())
	stop(c.Cause)
	g.mu.Lock()
	if g.cause != nil {
		g.mu.Unlock()
		return
	}
	g.cause = ended
	close(g.done)
	after := g.cancelChild
	g.cancelChild = nil
	g.mu.Unlock()
	if after != nil {
		after()
	}
}

// shadowKey is the key under which the context package looks for a cancelCtx,
// found by watching it ask: a variable of that package's own. Without it
// context.Cause would know no cause of ours, and a context derived by way of a
// WithValue would need a goroutine.
var cancelCtxKey = func() any {
	var s keySpy
	context.Cause(&s)
	return s.key
}()

// A spy says that it has ended, so that context.Cause goes on to look for the
// cancelCtx that knows why, and writes down what it was asked for.
type keySpy struct {
	context.Context
	key any
}

func (s *keySpy) Err() error { return context.Canceled }

func (s *keySpy) Value(key any) any {
	s.key = key
	return nil
}
