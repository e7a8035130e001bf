// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"sync"
	"time"
)

// A stdContext represents a node in the standard library. It contains a real cancelCtx, so
// that context.Cause works. Contexts that package context derives from it are cancelled
// together with the node, with the same Err and Cause, and need no goroutine. It is made
// at the first use: see node.asStdContext.
type stdContext struct {
	ctx    context.Context         // the cancelCtx; its parent is the stdParent
	parent *stdParent              // ends ctx with DeadlineExceeded
	stop   context.CancelCauseFunc // ends ctx with Canceled
}

// cancel cancels the context of the standard library for c. It is safe for concurrent use.
// Only the first call has an effect.
func (s *stdContext) cancel(c *Canceled) {
	if c.deadline {
		s.parent.expire(c)
	} else {
		s.stop(c.Cause)
	}
}

// A stdParent is the parent of the cancelCtx in a stdContext. A CancelCauseFunc can only
// make Err return context.Canceled. A parent that has ended can make Err return any error,
// so the stdParent ends with context.DeadlineExceeded and supplies the cause.
type stdParent struct {
	mu          sync.Mutex
	done        chan struct{}
	cancelChild func()          // cancels the one child
	cause       context.Context // has the cause; set when the stdParent has ended
}

// Deadline returns no deadline. The Deadline method of the node is called instead.
func (p *stdParent) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done must not return nil: WithCancelCause would assume that the parent never ends, and
// would not call AfterFunc.
func (p *stdParent) Done() <-chan struct{} { return p.done }

// Err returns DeadlineExceeded once the stdParent has ended: this is its purpose.
func (p *stdParent) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		return nil
	}
	return context.DeadlineExceeded
}

// Value is called by context.Cause, which looks for the cancelCtx behind a context. Once
// the stdParent has ended, Value returns a cancelCtx that ended with the right cause.
func (p *stdParent) Value(key any) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		return nil
	}
	return p.cause.Value(key)
}

// AfterFunc registers the child that context.WithCancelCause makes. Without this method
// the context package would start a goroutine. It is called once, while the stdContext is
// made, before the stdParent can end.
func (p *stdParent) AfterFunc(f func()) func() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancelChild = f
	return func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		had := p.cancelChild != nil
		p.cancelChild = nil
		return had
	}
}

// expire ends p with the cause of c. It calls the child without the lock, because the
// child calls Err and Value.
func (p *stdParent) expire(c *Canceled) {
	p.mu.Lock()
	if p.cause == nil {
		ended, stop := context.WithCancelCause(context.Background())
		stop(c.Cause)
		p.cause = ended
		close(p.done)
	}
	cancel := p.cancelChild // has no effect if another goroutine has called it
	p.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// cancelCtxKey is the key by which the context package looks for a cancelCtx: the address
// of an unexported variable, which keySpy finds out. Without the key, context.Cause would
// not find our causes, and a context derived through a WithValue would need a goroutine.
var cancelCtxKey = func() any {
	var s keySpy
	context.Cause(&s)
	return s.key
}()

// A keySpy reports that it has ended, so that context.Cause looks for the cancelCtx that
// has the cause, and records the key of that lookup.
type keySpy struct {
	context.Context
	key any
}

func (s *keySpy) Err() error { return context.Canceled }

func (s *keySpy) Value(key any) any {
	s.key = key
	return nil
}
