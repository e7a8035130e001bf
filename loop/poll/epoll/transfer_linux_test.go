// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// A large Write is moved in pieces of at most 256 KiB, however much the kernel would accept and
// however the buffers are divided. No byte is lost.
func TestLargeWriteMovesInPieces(t *testing.T) {
	const size, piece = 8 << 20, 256 << 10
	message := make([]byte, size)
	for i := range message {
		message[i] = byte(i % 251)
	}
	for name, op := range map[string]*poll.Op{
		"one buffer":         {Buf: message},
		"header and body":    {Bufs: [][]byte{message[:100], message[100:]}},
		"buffers of a piece": {Bufs: slices.Collect(slices.Chunk(message, piece))},
		"small buffers":      {Bufs: slices.Collect(slices.Chunk(message, 1000))},
	} {
		mode := modes[len(op.Bufs)%len(modes)] // some cases in each mode
		t.Run(name+", "+mode.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			p := open(t, mode.config)
			l := &loopback{t: t, poller: p}
			client := l.must(&poll.Op{Kind: poll.Connect, Addr: ln.Addr()}).Handle
			received := make(chan []byte)
			go func() {
				var all []byte
				if c, err := ln.Accept(); err == nil {
					all, _ = io.ReadAll(c)
					c.Close()
				}
				received <- all
			}()

			op.Kind, op.Handle = poll.Write, client
			done := p.Submit(op)
			if op.N > piece {
				t.Errorf("Submit has moved %d bytes", op.N)
			}
			for !done {
				l.wait(-1)
				done = len(l.done) > 0
			}
			if op.Err != nil || op.N != size {
				t.Errorf("wrote %d bytes, %v", op.N, op.Err)
			}
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			if got := <-received; !slices.Equal(got, message) {
				t.Errorf("received %d bytes, which differ from the bytes sent", len(got))
			}
		})
	}
}

// After a Read that filled its buffer, the poller provides a larger one. After a Read that
// would have fitted into the next smaller size, it provides a smaller one.
func TestProvidedBuffersAdaptToReads(t *testing.T) {
	l := newLoopback(t, open(t, epoll.Config{}))
	for i, c := range []struct{ message, buffer int }{
		{100, 4 << 10},
		{4 << 10, 4 << 10},
		{16 << 10, 16 << 10},
		{64 << 10, 72 << 10},
		{20 << 10, 72 << 10},
		{16 << 10, 72 << 10},
		{5 << 10, 16 << 10},
		{100, 16 << 10},
		{100, 4 << 10},
	} {
		l.must(&poll.Op{Kind: poll.Write, Handle: l.client, Buf: make([]byte, c.message)})
		op := l.must(&poll.Op{Kind: poll.Read, Handle: l.server})
		if op.N != c.message || cap(op.Buf) != c.buffer {
			t.Errorf("Read %d read %d bytes into a buffer of %d, want %d in %d", i, op.N, cap(op.Buf), c.message, c.buffer)
		}
		l.poller.Recycle(op.Buf)
	}
}

// One Wait reads at most 128 KiB plus the rest of the last Read, however many connections have
// data. The next Waits read the rest, and none of them sleeps before.
func TestWaitLimitsBytesRead(t *testing.T) {
	const connections, size = 20, 64 << 10
	for _, mode := range modes {
		l := newLoopback(t, open(t, mode.config))
		var ops []*poll.Op
		for range connections {
			client, server := l.connect()
			ops = append(ops, &poll.Op{Kind: poll.Read, Handle: server, Buf: make([]byte, size)},
				&poll.Op{Kind: poll.Write, Handle: client, Buf: make([]byte, size)})
		}
		for _, op := range ops {
			l.poller.Submit(op)
		}
		for reads := 0; reads < connections; {
			l.wait(-1)
			read := 0
			for _, op := range l.done {
				if op.Kind == poll.Read {
					reads++
					read += op.N
				}
			}
			if read >= 128<<10+size {
				t.Errorf("%s: one Wait has read %d bytes", mode.name, read)
			}
		}
	}
}

// A large SendFile yields like a Write.
func TestLargeSendFileMovesInPieces(t *testing.T) {
	const size, piece = 4 << 20, 256 << 10
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := file.Truncate(size); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	l := &loopback{t: t, poller: open(t, epoll.Config{})}
	client := l.must(&poll.Op{Kind: poll.Connect, Addr: ln.Addr()}).Handle
	received := make(chan int64)
	go func() {
		var n int64
		if c, err := ln.Accept(); err == nil {
			n, _ = io.Copy(io.Discard, c)
			c.Close()
		}
		received <- n
	}()

	op := &poll.Op{Kind: poll.SendFile, Handle: client, File: &poll.FilePart{File: file, Count: size}}
	done := l.poller.Submit(op)
	if op.N > piece {
		t.Errorf("Submit has moved %d bytes", op.N)
	}
	for !done {
		l.wait(-1)
		done = len(l.done) > 0
	}
	if op.Err != nil || op.N != size {
		t.Errorf("sent %d bytes, %v", op.N, op.Err)
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	if n := <-received; n != size {
		t.Errorf("received %d bytes of %d", n, size)
	}
}

// A Write that has yielded continues only once in each Wait, even if an event comes for its
// socket: events for reading report space for writing as well.
func TestYieldedWriteContinuesOncePerWait(t *testing.T) {
	const piece = 256 << 10
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer ln.Close()
			p := open(t, mode.config)
			l := &loopback{t: t, poller: p}
			client := l.must(&poll.Op{Kind: poll.Connect, Addr: ln.Addr()}).Handle
			peer, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
			op := &poll.Op{Kind: poll.Write, Handle: client, Buf: make([]byte, 64<<20)}
			if p.Submit(op) {
				t.Fatal("a Write of 64 MiB completed at once, although the peer does not read")
			}
			in := &poll.Op{Kind: poll.Read, Handle: client, Buf: make([]byte, 1)}
			for range 6 {
				before := op.N
				if p.Submit(in) {
					t.Fatal("a Read completed at once, although the peer has not written")
				}
				if _, err := peer.Write([]byte("x")); err != nil {
					t.Fatal(err)
				}
				for l.done = nil; !slices.Contains(l.done, in); {
					before = op.N
					l.wait(-1)
				}
				if moved := op.N - before; moved > piece {
					t.Errorf("a Wait has moved %d bytes", moved)
				}
			}
			p.Cancel(op)
			l.wait(-1)
			if err := client.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
