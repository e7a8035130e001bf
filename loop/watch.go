// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"errors"
	"fmt"
	"io/fs"

	"baton/loop/poll"
)

// A watched is a descriptor that somebody else owns, adopted for as long as one
// of its two directions is watched. It is in loop.watchers then.
type watched struct {
	loop           *Loop
	fd             uintptr
	file           poll.Handle
	reader, writer watcher
}

// A watcher calls back whenever its descriptor is ready in its direction: it
// submits a readiness operation, queues the callback when that is finished, and
// submits the next one after the callback has returned. So it is
// level-triggered over a poller of completions. The operation is in flight
// (busy) or the callback in the ready queue (queued), never both.
type watcher struct {
	of     *watched
	kind   poll.Kind // poll.Readable or poll.Writable
	fn     func()    // nil: this direction is not watched
	site   string    // where it was added, in debug mode
	op     poll.Op
	busy   bool    // op is in flight, for whoever watches when it finishes
	queued *Handle // the callback in the ready queue
}

// AddReader has fn run in every turn in which reading from fd would not wait: a
// callback that does not read runs again. fn must not switch. It replaces the
// reader set before; the writer of fd is independent. A watched descriptor keeps
// the loop from being idle.
//
// The descriptor stays the caller's, who must remove the watchers before closing
// it. If the loop finds that a watched descriptor was closed, at the latest when a
// new file with the same number is added, it removes the watchers of the closed one
// and calls the exception handler for each.
//
// The error says why fd cannot be watched: it is a regular file (EPERM), or it
// belongs to a stream of this loop, which the error names (EEXIST); or the poller
// cannot watch (errors.ErrUnsupported). PEP 3156's add_reader.
func (l *Loop) AddReader(fd uintptr, fn func()) error {
	return l.watch("AddReader", fd, poll.Readable, fn)
}

// AddWriter is AddReader for writing.
func (l *Loop) AddWriter(fd uintptr, fn func()) error {
	return l.watch("AddWriter", fd, poll.Writable, fn)
}

// RemoveReader ends the watching and reports whether there was any. A callback
// that is already queued does not run any more. On a closed loop it reports
// false.
func (l *Loop) RemoveReader(fd uintptr) bool {
	return l.unwatch("RemoveReader", fd, poll.Readable)
}

// RemoveWriter is RemoveReader for writing.
func (l *Loop) RemoveWriter(fd uintptr) bool {
	return l.unwatch("RemoveWriter", fd, poll.Writable)
}

// watch adopts the descriptor. If that fails because it is adopted already, the new
// callback replaces the one before, or is the other direction's: a callback that is
// queued is taken back, and an operation in flight serves the new one. If the
// descriptor was watched and is not adopted any more, its owner has closed it, and
// the number may be another file's: what was watched under it is removed.
func (l *Loop) watch(call string, fd uintptr, kind poll.Kind, fn func()) error {
	l.mustHold(call)
	if fn == nil {
		panic("loop: the callback of " + call + " must not be nil")
	}
	d := l.watchers[fd]
	file, err := l.adopt(fd)
	if d == nil || !errors.Is(err, fs.ErrExist) {
		if d != nil {
			d.reader.fail(fs.ErrClosed)
			d.writer.fail(fs.ErrClosed)
		}
		if err != nil {
			return fmt.Errorf("loop: %s of descriptor %d: %w", call, fd, err)
		}
		d = &watched{loop: l, fd: fd, file: file}
		d.reader = watcher{of: d, kind: poll.Readable}
		d.writer = watcher{of: d, kind: poll.Writable}
		l.watchers[fd] = d
	}
	w := d.side(kind)
	w.unqueue()
	w.fn, w.site = fn, l.site()
	if err := w.submit(); err != nil {
		w.remove()
		return fmt.Errorf("loop: %s of descriptor %d: %w", call, fd, err)
	}
	return nil
}

// adopt fails here, and not in the first operation, if the poller cannot watch.
func (l *Loop) adopt(fd uintptr) (poll.Handle, error) {
	if !l.poller.Caps().Has(poll.Adopts | poll.Readiness) {
		return nil, errors.ErrUnsupported
	}
	return l.poller.Adopt(fd)
}

func (l *Loop) unwatch(call string, fd uintptr, kind poll.Kind) bool {
	if l.closed.Load() {
		return false
	}
	l.mustHold(call)
	d := l.watchers[fd]
	if d == nil || d.side(kind).fn == nil {
		return false
	}
	d.side(kind).remove()
	return true
}

func (d *watched) side(kind poll.Kind) *watcher {
	if kind == poll.Readable {
		return &d.reader
	}
	return &d.writer
}

// unqueue takes back a callback that is to run.
func (w *watcher) unqueue() {
	if w.queued != nil {
		w.queued.Cancel()
		w.queued = nil
	}
}

// remove ends the watching, and gives the descriptor back with its last
// direction. While the other one is watched, an operation in flight is left
// alone: it finds nobody to call.
func (w *watcher) remove() {
	d := w.of
	w.fn = nil
	w.unqueue()
	if d.reader.fn == nil && d.writer.fn == nil {
		delete(d.loop.watchers, d.fd)
		d.file.Close() // ends what is in flight; the descriptor itself stays open
	}
}

// submit asks for the next readiness, unless that is under way. The error is
// that of an operation which has failed at once.
func (w *watcher) submit() error {
	if w.fn == nil || w.busy || w.queued != nil {
		return nil
	}
	w.op = poll.Op{Kind: w.kind, Handle: w.of.file, Owner: w}
	if !w.of.loop.Driver().Submit(&w.op) {
		w.busy = true
		return nil
	}
	if w.op.Err == nil {
		w.queue()
	}
	return w.op.Err
}

// Complete queues the callback. It is the loop's to call.
func (w *watcher) Complete(*poll.Op) {
	w.busy = false
	switch {
	case w.op.Err != nil:
		w.fail(w.op.Err)
	case w.fn != nil:
		w.queue()
	}
}

func (w *watcher) queue() { w.queued = w.of.loop.queue(w.fire, w.fn, w.site) }

// fire is the callback in the ready queue.
func (w *watcher) fire() {
	w.queued = nil
	defer w.again() // also when fn panics: the descriptor is still ready
	w.fn()
}

// again goes on after the callback, which may have closed the descriptor.
func (w *watcher) again() {
	if err := w.submit(); err != nil {
		w.fail(err)
	}
}

// fail ends the watching because of an error of the poller's: the next operation
// would fail in the same way, at once, in every turn. There is no caller left to
// tell, so the exception handler is, by a callback like any other.
func (w *watcher) fail(err error) {
	if w.fn == nil {
		return
	}
	l, fn, site := w.of.loop, w.fn, w.site
	side := "reader"
	if w.kind == poll.Writable {
		side = "writer"
	}
	e := Exception{
		Message: fmt.Sprintf("loop: the %s of descriptor %d, %s, is removed", side, w.of.fd, nameOf(fn, site)),
		Err:     err,
	}
	w.remove()
	l.queue(func() { l.CallExceptionHandler(e) }, fn, site)
}
