// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"strings"

	"baton/loop"
)

// enter returns the node of ctx, after checking that the caller is the task to which ctx
// belongs. Only the holder of the baton may read cur, so the check of word comes first.
// Every call of this package that takes a ctx begins with enter, or does the same on its
// fast path.
func enter(ctx context.Context) *node {
	n, ok := ctx.(*node)
	if !ok {
		return enterForeign(ctx)
	}
	if r := n.ref; !r.b.word.Held() || r.b.cur != r {
		panicWrongCaller(n)
	}
	return n
}

// enterForeign is enter for a context of the standard library.
func enterForeign(ctx context.Context) *node {
	n := nodeOf(ctx)
	if n == nil {
		panicWrongContext("a context that does not belong to a task; use the ctx that the task's function received, or start a task with task.Run")
	}
	if r := n.ref; !r.b.word.Held() || r.b.cur != r {
		panicWrongCaller(n)
	}
	n.ref.b.foreign.checkDeadline(ctx, n.ref.String)
	return n
}

// panicWrongCaller panics because n belongs to another task than the caller. It is a
// separate function to keep enter small, and it finds out here who the caller is.
func panicWrongCaller(n *node) {
	b := n.ref.b
	if b.word.Held() {
		owner := n.ref.String()
		if n.ref.state == Done {
			owner += ", which has ended,"
		}
		if b.cur == nil {
			panicWrongContext("the context of %s from a callback of %v; a callback has no ctx: start a task through a ScopeRef", owner, b.loop)
		}
		panicWrongContext("the context of %s from %v; a task must use the ctx that its own function received", owner, b.cur)
	}
	if other := loop.Current(); other != nil {
		panicWrongContext("the context of %v, a task of %v, from a goroutine of %v; use a task.Portal between loops", n.ref, b.loop, other)
	}
	panicWrongContext("the context of %v from a goroutine that is not this task, such as one of await.Blocking; make the call in the task, or use a task.Portal", n.ref)
}

// panicWrongContext panics because of a call with a context that is not the caller's. Most
// calls make the check in an inner function, so the name of the call is taken from the
// stack.
func panicWrongContext(format string, args ...any) {
	pkg, call := publicCall()
	panic(pkg + ": " + call + " with " + fmt.Sprintf(format, args...))
}

// publicCall returns the package and the name of the call that the user made: the
// outermost public function on the stack of a top-level package of the module, or of a
// package below netio. A frame of another nested package, such as an example, or of an
// external test belongs to the user.
func publicCall() (pkg, call string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	module := strings.TrimSuffix(reflect.TypeFor[node]().PkgPath(), "task")
	public := regexp.MustCompile(`^(\w+)\.((?:[A-Z]\w*\.)?[A-Z]\w*)(?:-.*|\.func\d.*)?$`)
	plain := strings.NewReplacer("[...]", "", "(*", "", ")", "")
	for {
		f, more := frames.Next()
		name, ours := strings.CutPrefix(f.Function, module)
		name = strings.TrimPrefix(name, "netio/")
		if !ours || strings.Contains(name, "/") || strings.Contains(name, "_test.") {
			return pkg, call
		}
		if match := public.FindStringSubmatch(plain.Replace(name)); match != nil {
			pkg, call = match[1], match[2]
		}
		if !more {
			return pkg, call
		}
	}
}

// held panics if the loop runs and the caller does not hold its baton. While the loop does
// not run, any goroutine may call, because nothing else uses the data.
func (r *Ref) held(call string) {
	if word := r.b.word; !word.Held() && !word.Free() {
		misuse("%s of %v from a goroutine that does not hold the baton of %v; use a task.Portal", call, r, r.b.loop)
	}
}
