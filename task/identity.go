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

// enter returns the node of ctx after checking that the caller is the task it
// belongs to. The holder's goroutine comes first; the plain cur is read only by
// the holder. Every call of this package that takes a ctx begins here, or does the
// same on its fast path.
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

// enterForeign is enter under a context of the standard library.
func enterForeign(ctx context.Context) *node {
	n := nodeOf(ctx)
	if n == nil {
		panicWrongContext("a context that does not belong to a task; start one with task.Run and pass its ctx on")
	}
	if r := n.ref; !r.b.word.Held() || r.b.cur != r {
		panicWrongCaller(n)
	}
	n.ref.b.foreign.checkDeadline(ctx, n.ref.String)
	return n
}

// stranger panics with both sides of a context in the wrong hands. It is apart
// from enter to keep that small; which sides there are is found out only here.
func panicWrongCaller(n *node) {
	b := n.ref.b
	if b.word.Held() {
		owner := n.ref.String()
		if n.ref.state == Done {
			owner += ", which has ended,"
		}
		if b.cur == nil {
			panicWrongContext("the context of %s from a callback of %v; start a task, or use ScopeOf before", owner, b.loop)
		}
		panicWrongContext("the context of %s from %v; every task uses the ctx that its own function was given", owner, b.cur)
	}
	if other := loop.Current(); other != nil {
		panicWrongContext("the context of %v, a task of %v, while %v runs here; pass values through a Portal", n.ref, b.loop, other)
	}
	panicWrongContext("the context of %v from a goroutine that is not this task; start a task instead of the goroutine, or call into the loop by a Portal", n.ref)
}

// refuse panics because a call was made with a context that is not the caller's.
// Most calls are checked by one further in, so it is the stack that knows which one
// is meant.
func panicWrongContext(format string, args ...any) {
	room, call := publicCall()
	panic(room + ": " + call + " with " + fmt.Sprintf(format, args...))
}

// outermost returns the call of ours that somebody else has made: the last function
// with a public name on the way out of this module's packages. Examples, benchmarks
// and external tests are somebody else.
func publicCall() (pkg, call string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	module := strings.TrimSuffix(reflect.TypeFor[node]().PkgPath(), "task")
	public := regexp.MustCompile(`^(\w+)\.((?:[A-Z]\w*\.)?[A-Z]\w*)(?:-.*|\.func\d.*)?$`)
	plain := strings.NewReplacer("[...]", "", "(*", "", ")", "")
	for {
		f, more := frames.Next()
		name, ours := strings.CutPrefix(f.Function, module)
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

// held panics unless the caller has the baton, or the loop does not run. Where
// no loop runs there is nobody to race with.
func (r *Ref) held(call string) {
	if word := r.b.word; !word.Held() && !word.Free() {
		misuse("%s of %v from a goroutine that does not hold the baton of %v; use a Portal", call, r, r.b.loop)
	}
}
