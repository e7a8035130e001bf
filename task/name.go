// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

// ID is the task's number on its loop, in the order of creation from 1.
func (r *Ref) ID() uint64 { return r.id }

// Name returns the name given by SetName, or the name of the task's function,
// with its package and without the package's path.
func (r *Ref) Name() string {
	if x := r.extra.Load(); x != nil {
		if name := x.name.Load(); name != nil && *name != "" {
			return *name
		}
	}
	if r.body == nil {
		return "ended"
	}
	full := runtime.FuncForPC(reflect.ValueOf(r.body.function()).Pointer()).Name()
	return full[strings.LastIndexByte(full, '/')+1:]
}

// String is "task 7 (main.crawl)".
func (r *Ref) String() string { return fmt.Sprintf("task %d (%s)", r.id, r.Name()) }

// String names the context in messages.
func (n *node) String() string {
	switch {
	case n.ref == nil:
		return "a context without a task"
	case n == &n.ref.ctx:
		return n.ref.String()
	case n.limit != nil:
		return n.limit.String()
	}
	return fmt.Sprintf("a scope of %v", n.ref)
}

func (l *limit) String() string {
	switch {
	case l.shield:
		return fmt.Sprintf("a shield of %v", l.ref)
	case l.timeless:
		return fmt.Sprintf("a block of %v", l.ref)
	}
	return fmt.Sprintf("a deadline of %v", l.ref)
}
