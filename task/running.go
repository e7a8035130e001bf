// SPDX-License-Identifier: Apache-2.0

package task

import "context"

// Running returns the task that runs on r's loop and the context that its
// function was given, if the caller is that task. It returns nil in callbacks
// and on every other goroutine. It is for adapters of interfaces that pass no
// context, as net.Conn, whose caller may be any task. It never switches, and is
// safe from every goroutine.
func (r *Ref) Running() (*Ref, context.Context) {
	if !r.b.word.Held() || r.b.cur == nil {
		return nil, nil
	}
	return r.b.cur, &r.b.cur.ctx
}
