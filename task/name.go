// SPDX-License-Identifier: Apache-2.0

package task

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

// ID returns the number of the task on its loop. Tasks are numbered from 1, in the order
// of their creation.
func (r *Ref) ID() uint64 { return r.id }

// Name returns the name set by SetName. Without one, it returns the name of the task's
// function, with its package but without the package's path.
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

// String returns the ID and the name, such as "task 7 (main.crawl)".
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
