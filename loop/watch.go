// SPDX-License-Identifier: Apache-2.0

package loop

import (
	"errors"
	"fmt"
	"io/fs"

	"baton/loop/poll"
)

// A watched is a descriptor that the poller has adopted because at least one of its
// directions is watched. It is in loop.watchers during that time. The descriptor belongs to
// the user.
type watched struct {
	loop           *Loop
	fd             uintptr
	file           poll.Handle
	reader, writer watcher
}

// A watcher calls a callback whenever its descriptor is ready in one direction. It submits
// a readiness operation, queues the callback when the operation has completed, and submits
// the next operation after the callback has returned. The callback therefore runs again
// while the descriptor stays ready (level-triggered).
//
// Either the operation is in flight (busy), or the callback is in the ready queue (queued),
// never both.
type watcher struct {
	of     *watched
	kind   poll.Kind // poll.Readable or poll.Writable
	fn     func()    // nil if this direction is not watched
	site   string    // where it was added, in debug mode
	op     poll.Op
	busy   bool    // op is in flight; its completion is for the current fn
	queued *Handle // the callback in the ready queue
}

// AddReader makes the loop run fn in every turn in which a read from fd would not block. If
// fn does not read everything, it runs again. fn must not switch. AddReader replaces the
// reader of fd that was set before; the writer of fd is independent. A watched descriptor
// keeps the loop from being idle. AddReader is add_reader of PEP 3156.
//
// The descriptor still belongs to the caller. Call RemoveReader and RemoveWriter before you
// close it. If the loop finds that a watched descriptor was closed, it removes the watchers
// and calls the exception handler for each. The loop finds it at the latest when a new file
// with the same number is added.
//
// The error says why fd cannot be watched: EPERM for a regular file; EEXIST, with the name
// of the stream, if fd belongs to a stream of this loop; errors.ErrUnsupported if the
// poller cannot watch descriptors.
func (l *Loop) AddReader(fd uintptr, fn func()) error {
	return l.watch("AddReader", fd, poll.Readable, fn)
}

// AddWriter is AddReader for writing.
func (l *Loop) AddWriter(fd uintptr, fn func()) error {
	return l.watch("AddWriter", fd, poll.Writable, fn)
}

// RemoveReader removes the reader of fd, and reports whether there was one. A callback that
// is already queued does not run. On a closed loop, RemoveReader returns false.
func (l *Loop) RemoveReader(fd uintptr) bool {
	return l.unwatch("RemoveReader", fd, poll.Readable)
}

// RemoveWriter is RemoveReader for writing.
func (l *Loop) RemoveWriter(fd uintptr) bool {
	return l.unwatch("RemoveWriter", fd, poll.Writable)
}

// watch adopts the descriptor and sets the callback of one direction.
//
// If the descriptor is already adopted, the new callback replaces the old one or is for the
// other direction. A queued callback is cancelled, and an operation in flight now serves
// the new callback.
//
// If the descriptor was watched but is no longer adopted, its owner has closed it, and the
// number may belong to another file. The old watchers are then removed.
func (l *Loop) watch(call string, fd uintptr, kind poll.Kind, fn func()) error {
	l.mustHold(call)
	if fn == nil {
		panic("loop: the callback of " + call + " is nil; pass a function")
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
	w := d.direction(kind)
	w.unqueue()
	w.fn, w.site = fn, l.callSite()
	if err := w.submit(); err != nil {
		w.remove()
		return fmt.Errorf("loop: %s of descriptor %d: %w", call, fd, err)
	}
	return nil
}

// adopt fails if the poller cannot watch, so that AddReader reports this and not the first
// operation.
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
	if d == nil || d.direction(kind).fn == nil {
		return false
	}
	d.direction(kind).remove()
	return true
}

func (d *watched) direction(kind poll.Kind) *watcher {
	if kind == poll.Readable {
		return &d.reader
	}
	return &d.writer
}

// unqueue cancels a queued callback.
func (w *watcher) unqueue() {
	if w.queued != nil {
		w.queued.Cancel()
		w.queued = nil
	}
}

// remove ends the watching of one direction, and closes the poller's handle if no direction
// is left. If the other direction is still watched, an operation in flight continues; when
// it completes, it calls no callback.
func (w *watcher) remove() {
	d := w.of
	w.fn = nil
	w.unqueue()
	if d.reader.fn == nil && d.writer.fn == nil {
		delete(d.loop.watchers, d.fd)
		d.file.Close() // ends the operations in flight; the descriptor stays open
	}
}

// submit submits the next readiness operation, unless one is in flight or the callback is
// queued. It returns the error of an operation that fails at once.
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

// Complete queues the callback. Only the loop calls it.
func (w *watcher) Complete(*poll.Op) {
	w.busy = false
	switch {
	case w.op.Err != nil:
		w.fail(w.op.Err)
	case w.fn != nil:
		w.queue()
	}
}

func (w *watcher) queue() { w.queued = w.of.loop.queue(w.call, w.fn, w.site) }

// call runs the user's function, as a callback.
func (w *watcher) call() {
	w.queued = nil
	defer w.rewatch() // also if fn panics: the descriptor is still ready
	w.fn()
}

// rewatch submits the next operation after the callback, which may have closed the
// descriptor.
func (w *watcher) rewatch() {
	if err := w.submit(); err != nil {
		w.fail(err)
	}
}

// fail ends the watching because of an error of the poller: every further operation would
// fail at once, in every turn. No caller waits for the error, so fail queues a call of the
// exception handler.
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
		Message: fmt.Sprintf("loop: the %s of descriptor %d, %s, was removed", side, w.of.fd, nameOf(fn, site)),
		Err:     err,
	}
	w.remove()
	l.queue(func() { l.CallExceptionHandler(e) }, fn, site)
}
