// SPDX-License-Identifier: Apache-2.0

package looptest

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

var watchCases = []testCase{
	{
		name:        "watch/level",
		explanation: "A reader runs in every turn in which there is something to read, and in no other turn. A callback that reads only a part runs again.",
		run: watching(func(r *rig, near, far *wire) {
			n := 0
			r.ok("AddReader", r.loop.AddReader(near.fd, func() { n++ }))
			r.turn()
			r.turn()
			if n != 0 {
				r.t.Error("the reader ran with nothing to read")
			}
			far.send("xy")
			r.until(func() bool { return n >= 3 })
			near.take("x")
			seen := n
			r.until(func() bool { return n > seen })
			near.take("y")
			r.turn() // a callback that is already queued may still run
			seen = n
			r.turn()
			r.turn()
			if n != seen {
				r.t.Error("the reader ran when everything was read")
			}
			far.close()
			r.until(func() bool { return n > seen })
		}),
	},
	{
		name:        "watch/one run a turn",
		explanation: "A reader that replaces itself in its callback still runs once in each turn, not once for each replacement.",
		run: watching(func(r *rig, near, far *wire) {
			far.send("x")
			n := 0
			var again func()
			again = func() {
				n++
				r.ok("AddReader", r.loop.AddReader(near.fd, again))
				r.ok("AddReader", r.loop.AddReader(near.fd, again))
			}
			r.ok("AddReader", r.loop.AddReader(near.fd, again))
			r.until(func() bool { return n > 0 })
			for range 20 {
				before := n
				if r.turn(); n > before+1 {
					r.t.Fatalf("the reader ran %d times in one turn", n-before)
				}
			}
		}),
	},
	{
		name:        "watch/replace",
		explanation: "A second AddReader replaces the first reader, even if the first one is already queued in this turn.",
		run: watching(func(r *rig, near, far *wire) {
			far.send("x")
			r.ok("AddReader", r.loop.AddReader(near.fd, func() {
				r.note("old")()
				r.ok("AddReader", r.loop.AddReader(near.fd, func() {
					r.note("new")()
					r.loop.RemoveReader(near.fd)
				}))
			}))
			r.quit()
			r.want("replaced by itself", "old new")
			r.ok("AddReader", r.loop.AddReader(near.fd, r.note("old")))
			r.ok("AddReader", r.loop.AddReader(near.fd, func() {
				r.note("new")()
				r.loop.RemoveReader(near.fd)
			}))
			r.quit()
			r.want("replaced before", "new")
		}),
	},
	{
		name:        "watch/remove",
		explanation: "RemoveReader reports whether there was a reader. A queued callback does not run after it. Afterwards nothing is watched, and the loop is idle.",
		run: watching(func(r *rig, near, far *wire) {
			if r.loop.RemoveReader(near.fd) || r.loop.RemoveWriter(near.fd) {
				r.t.Error("something was removed from a descriptor that is not watched")
			}
			far.send("x")
			r.loop.CallSoon(func() {
				if !r.loop.RemoveReader(near.fd) || r.loop.RemoveReader(near.fd) {
					r.t.Error("RemoveReader did not return true first and false second")
				}
			})
			r.ok("AddReader", r.loop.AddReader(near.fd, r.note("near"))) // ready at once: queued behind the callback above
			r.quit()
			r.want("after RemoveReader", "")
		}),
	},
	{
		name:        "watch/remove and add",
		explanation: "If a reader is removed and added again at once, it runs when there is something to read, and not before: a read would block the loop.",
		run: watching(func(r *rig, near, far *wire) {
			r.ok("AddWriter", r.loop.AddWriter(near.fd, func() {}))
			r.ok("AddReader", r.loop.AddReader(near.fd, r.note("first")))
			r.turn()
			for range 3 {
				r.loop.RemoveReader(near.fd)
				r.ok("AddReader", r.loop.AddReader(near.fd, r.note("second")))
			}
			r.turn()
			r.turn()
			r.want("with nothing to read", "")
			r.loop.RemoveWriter(near.fd)
			far.send("x")
			r.until(func() bool { return len(r.notes) > 0 })
			r.want("with something to read", "second")
			r.loop.RemoveReader(near.fd)
			r.quit()
		}),
	},
	{
		name:        "watch/both directions",
		explanation: "The reader and the writer of one descriptor are independent: removing one does not affect the other.",
		run: watching(func(r *rig, near, far *wire) {
			reads, writes := 0, 0
			r.ok("AddReader", r.loop.AddReader(near.fd, func() { reads++ }))
			r.ok("AddWriter", r.loop.AddWriter(near.fd, func() { writes++ }))
			r.until(func() bool { return writes >= 2 })
			if reads != 0 {
				r.t.Error("the reader ran with nothing to read")
			}
			far.send("x")
			r.until(func() bool { return reads >= 2 })
			r.loop.RemoveWriter(near.fd)
			seenReads, seenWrites := reads, writes
			r.until(func() bool { return reads >= seenReads+2 })
			if writes != seenWrites {
				r.t.Error("the writer ran after it was removed")
			}
			r.ok("AddWriter", r.loop.AddWriter(near.fd, func() { writes++ }))
			r.loop.RemoveReader(near.fd)
			seenReads = reads
			r.until(func() bool { return writes >= seenWrites+2 })
			if reads != seenReads {
				r.t.Error("the reader ran after it was removed")
			}
		}),
	},
	{
		name:        "watch/keeps running",
		explanation: "A watched descriptor keeps the loop from being idle: Run waits until the descriptor is ready.",
		run: watching(func(r *rig, near, far *wire) {
			r.ok("AddReader", r.loop.AddReader(near.fd, func() {
				r.note("read")()
				r.loop.RemoveReader(near.fd)
			}))
			r.loop.CallLater(tick, func() { far.send("x") })
			r.quit()
			r.want("until idle", "read")
		}),
	},
	{
		name:        "watch/panic",
		explanation: "If a reader panics, the panic is reported and the reader stays, because the descriptor is still ready.",
		run: watching(func(r *rig, near, far *wire) {
			far.send("x")
			n := 0
			r.ok("AddReader", r.loop.AddReader(near.fd, func() {
				if n++; n == 1 {
					panic(errBroken)
				}
				r.loop.RemoveReader(near.fd)
			}))
			r.quit()
			r.wantReported(errBroken)
			if n != 2 {
				r.t.Errorf("the reader ran %d times, want 2", n)
			}
		}),
	},
	{
		name:        "watch/error",
		explanation: "AddReader of a descriptor that cannot be watched, such as a regular file, returns an error, and adds no reader.",
		run: watching(func(r *rig, near, far *wire) {
			name := filepath.Join(r.t.TempDir(), "file")
			file, err := os.Create(name)
			r.ok("Create", err)
			defer file.Close()
			if err := r.loop.AddReader(file.Fd(), func() {}); err == nil {
				r.t.Error("AddReader of a regular file returned no error")
			}
			if r.loop.RemoveReader(file.Fd()) {
				r.t.Error("there is a reader after AddReader failed")
			}
			r.quit()
		}),
	},
	{
		name:        "watch/number used again",
		explanation: "If a watched descriptor was closed without RemoveReader, a new descriptor with the same number can still be watched. AddReader succeeds, and the old watchers are reported.",
		run: watching(func(r *rig, near, far *wire) {
			r.ok("AddReader", r.loop.AddReader(near.fd, r.note("reader of the closed one")))
			r.ok("AddWriter", r.loop.AddWriter(near.fd, r.note("writer of the closed one")))
			near.close()
			again := listenOn(r, near.fd)
			r.ok("AddReader", r.loop.AddReader(near.fd, func() {
				r.note("new")()
				r.loop.RemoveReader(near.fd)
			}))
			client, err := net.Dial("tcp4", again.Addr().String())
			r.ok("Dial", err)
			defer client.Close()
			r.quit()
			r.want("with something to accept", "new")
			if len(r.reported) != 2 {
				r.t.Errorf("reported: %v, want errors for the reader and the writer of the closed descriptor", r.reported)
			}
			r.reported = nil
		}),
	},
}

// listenOn makes a listener whose descriptor has the number fd, which must be free.
func listenOn(r *rig, fd uintptr) *net.TCPListener {
	r.t.Helper()
	for range 100 { // each listener gets the lowest free number
		listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		r.ok("Listen", err)
		r.t.Cleanup(func() { listener.Close() })
		if descriptor(r, listener) == fd {
			return listener
		}
	}
	r.t.Fatalf("no listener got the number %d", fd)
	return nil
}

// A wire is one end of a connection.
type wire struct {
	r    *rig
	conn *net.TCPConn
	fd   uintptr
}

// watching runs a case with both ends of a connection. If the loop cannot watch
// descriptors, it checks instead that AddReader and AddWriter return errors.ErrUnsupported.
func watching(run func(r *rig, near, far *wire)) func(r *rig) {
	return func(r *rig) {
		near, far := wires(r)
		defer near.close()
		defer far.close()
		err := r.loop.AddReader(near.fd, func() {})
		if !errors.Is(err, errors.ErrUnsupported) {
			r.ok("AddReader", err)
			r.loop.RemoveReader(near.fd)
			r.quit()
			run(r, near, far)
			if !r.loop.IsClosed() { // remove the watchers before the descriptors are closed
				r.loop.RemoveReader(near.fd)
				r.loop.RemoveWriter(near.fd)
			}
			return
		}
		if err := r.loop.AddWriter(near.fd, func() {}); !errors.Is(err, errors.ErrUnsupported) {
			r.t.Errorf("AddReader is not supported, but AddWriter: %v", err)
		}
		if r.loop.RemoveReader(near.fd) || r.loop.RemoveWriter(near.fd) {
			r.t.Error("there is a watcher where watching is not supported")
		}
		r.quit()
	}
}

func wires(r *rig) (near, far *wire) {
	listener, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	r.ok("Listen", err)
	defer listener.Close()
	a, err := net.DialTCP("tcp4", nil, listener.Addr().(*net.TCPAddr))
	r.ok("Dial", err)
	b, err := listener.AcceptTCP()
	r.ok("Accept", err)
	return newWire(r, a), newWire(r, b)
}

func newWire(r *rig, conn *net.TCPConn) *wire {
	return &wire{r: r, conn: conn, fd: descriptor(r, conn)}
}

func descriptor(r *rig, c syscall.Conn) (fd uintptr) {
	r.t.Helper()
	raw, err := c.SyscallConn()
	r.ok("SyscallConn", err)
	r.ok("Control", raw.Control(func(n uintptr) { fd = n }))
	return fd
}

func (w *wire) close() { w.conn.Close() }

func (w *wire) send(text string) {
	w.r.t.Helper()
	_, err := w.conn.Write([]byte(text))
	w.r.ok("Write", err)
}

// take reads text, which was sent.
func (w *wire) take(text string) {
	w.r.t.Helper()
	buf := make([]byte, len(text))
	_, err := io.ReadFull(w.conn, buf)
	w.r.ok("Read", err)
	if string(buf) != text {
		w.r.t.Errorf("read %q, want %q", buf, text)
	}
}
