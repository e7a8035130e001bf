// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"

	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/task"
)

func TestWriteBufferLimits(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		s, tr := pair(ctx, t, protocol.Config{}, (&protocoltest.Checker{T: t}).Plain())
		for _, test := range []struct{ high, low, wantHigh, wantLow int }{
			{0, 0, 64 << 10, 16 << 10},
			{100, 0, 100, 25},
			{0, 100, 64 << 10, 100},
			{0, 64 << 10, 256 << 10, 64 << 10},
			{5, 5, 5, 5},
			{-1, 0, 0, 0},
			{100, -1, 100, 0},
		} {
			tr.SetWriteBufferLimits(test.high, test.low)
			if high, low := tr.WriteBufferLimits(); high != test.wantHigh || low != test.wantLow {
				t.Errorf("limits of %d, %d: %d, %d; want %d, %d", test.high, test.low, high, low, test.wantHigh, test.wantLow)
			}
		}
		wantPanic(t, "protocol: write buffer limits: high is 1 and low is 2; low must not be above high",
			func() { tr.SetWriteBufferLimits(1, 2) })
		tr.Close()
		s.Close()
	})
}

func wantPanic(t *testing.T, want string, fn func()) {
	t.Helper()
	defer func() {
		if v := recover(); fmt.Sprint(v) != want {
			t.Errorf("panic %v, want %v", v, want)
		}
	}()
	fn()
}

// A write above the high limit calls PauseWriting once, within Write. Reaching the low limit calls
// ResumeWriting once. Exactly as many bytes as the limit do not pause.
func TestCallbackIsPausedWithinWrite(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		sent := crowd(ctx, t, tr)
		more := func(n int) {
			p := bytes.Repeat([]byte{'x'}, n)
			if n, err := tr.Write(p); n != len(p) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			sent = append(sent, p...)
		}
		inCallback(ctx, t, func() {
			tr.SetWriteBufferLimits(tr.WriteBufferSize()+10, 5)
			more(10)
			if len(c.Calls) > 1 || tr.WritePaused() {
				t.Errorf("calls %v at the high limit", c.Calls)
			}
			more(1)
			if !slices.Equal(c.Calls, []string{"ConnectionMade", "PauseWriting"}) || !tr.WritePaused() {
				t.Errorf("calls %v above the high limit, before Write returns", c.Calls)
			}
			more(1000)
		})
		turns(ctx, t, 3)
		join := goTask(ctx, func(ctx context.Context) error {
			readAll(ctx, t, s, sent)
			return s.Close()
		})
		must(t, tr.Drain(ctx))
		tr.Close()
		must(t, join(ctx))
		must(t, c.UntilLost(ctx))
		if want := []string{"ConnectionMade", "PauseWriting", "ResumeWriting", "ConnectionLost"}; !slices.Equal(c.Calls, want) {
			t.Errorf("calls %v, want %v", c.Calls, want)
		}
	})
}

func TestTaskIsPausedInTheNextTurn(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		sent := crowd(ctx, t, tr)
		size := tr.WriteBufferSize()
		tr.SetWriteBufferLimits(size+1, size/2)
		turns(ctx, t, 3)
		more := bytes.Repeat([]byte("x"), 1<<20) // the kernel may take some more meanwhile
		_, err := tr.Write(more)
		must(t, err)
		if tr.WritePaused() || len(c.Calls) > 1 {
			t.Error("PauseWriting within a Write of a task")
		}
		until(ctx, t, tr.WritePaused)
		join := goTask(ctx, func(ctx context.Context) error {
			readAll(ctx, t, s, append(sent, more...))
			return s.Close()
		})
		must(t, tr.Drain(ctx))
		if tr.WritePaused() {
			t.Error("still paused after Drain")
		}
		tr.Close()
		must(t, join(ctx))
	})
}

// With a negative high limit, writing is paused while any byte waits. Lower limits take effect at
// once.
func TestLoweredLimitsPauseAtOnce(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		crowd(ctx, t, tr)
		inCallback(ctx, t, func() {
			size := tr.WriteBufferSize() // it can only change between callbacks
			tr.SetWriteBufferLimits(size, 0)
			if tr.WritePaused() {
				t.Error("paused at the limit")
			}
			tr.SetWriteBufferLimits(size-1, 0)
			if !tr.WritePaused() {
				t.Error("not paused by a limit below the size")
			}
			tr.SetWriteBufferLimits(size+10, size)
			if tr.WritePaused() {
				t.Error("still paused with the low limit above the size")
			}
			tr.SetWriteBufferLimits(-1, 0)
			if !tr.WritePaused() {
				t.Error("not paused by a negative limit")
			}
		})
		want := []string{"ConnectionMade", "PauseWriting", "ResumeWriting", "PauseWriting"}
		if !slices.Equal(c.Calls, want) {
			t.Errorf("calls %v, want %v", c.Calls, want)
		}
		tr.Abort()
		must(t, c.UntilLost(ctx))
		s.Close()
	})
}

// A callback that writes until it is paused ends, although the loop makes no turn meanwhile.
func TestCallbackWritesUntilPaused(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		paused := false
		c.OnPause = func() { paused = true }
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		inCallback(ctx, t, func() {
			for !paused {
				if _, err := tr.Write(make([]byte, 10_000)); err != nil {
					t.Fatal(err)
				}
			}
			if size := tr.WriteBufferSize(); size <= 64<<10 || size > 80<<10 {
				t.Errorf("%d bytes wait", size)
			}
		})
		tr.Abort()
		must(t, c.UntilLost(ctx))
		s.Close()
	})
}

// ResumeWriting may write to its transport, until it is paused again, and to other transports.
func TestResumeWritingMayWrite(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c, other := &protocoltest.Checker{T: t}, &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{HighWater: 1000}, of(c))
		far, side := pair(ctx, t, protocol.Config{}, of(other))
		var sent, aside []byte
		resumed := 0
		fill := func() {
			for !tr.WritePaused() && !tr.IsClosing() {
				p := bytes.Repeat([]byte{byte(len(sent))}, 3333)
				sent = append(sent, p...)
				_, err := tr.Write(p)
				must(t, err)
			}
		}
		c.OnResume = func() {
			if resumed++; resumed == 5 {
				tr.Close()
				side.Close()
				return
			}
			aside = append(aside, byte(resumed))
			_, err := side.Write([]byte{byte(resumed)})
			must(t, err)
			fill()
			if !tr.WritePaused() {
				t.Error("not paused within ResumeWriting")
			}
		}
		inCallback(ctx, t, fill)
		readPaced(ctx, t, s, &sent)
		readAll(ctx, t, far, aside)
		must(t, c.UntilLost(ctx))
		must(t, other.UntilLost(ctx))
		if resumed != 5 {
			t.Errorf("resumed %d times", resumed)
		}
		s.Close()
		far.Close()
	})
}

// readPaced reads to the end of the stream. It fails the test unless the bytes are *want, which
// may grow meanwhile.
func readPaced(ctx context.Context, t *testing.T, s *netio.Stream, want *[]byte) {
	t.Helper()
	var got []byte
	for buf := make([]byte, 4096); ; {
		n, err := s.Read(ctx, buf)
		got = append(got, buf[:n]...)
		if err == io.EOF {
			break
		}
		must(t, err)
	}
	if !bytes.Equal(got, *want) {
		t.Errorf("the peer read %d bytes, want %d; the first different one is %d", len(got), len(*want), differ(got, *want))
	}
}

// A withoutFlow is a protocol that is no FlowController and no EOFReceiver.
type withoutFlow struct{ protocol.Protocol }

// Drain works for a protocol that is no FlowController.
func TestProtocolWithoutFlowController(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, withoutFlow{c.Plain()})
		sent := crowd(ctx, t, tr)
		tr.SetWriteBufferLimits(-1, 0)
		until(ctx, t, tr.WritePaused)
		drained := false
		join := goTask(ctx, func(ctx context.Context) error {
			err := tr.Drain(ctx)
			drained = true
			return err
		})
		turns(ctx, t, 20)
		if drained {
			t.Error("Drain has returned while writing is paused")
		}
		_, err := s.ReadFull(ctx, make([]byte, len(sent)))
		must(t, err)
		must(t, join(ctx))
		must(t, s.Close()) // closes the transport, which has no EOFReceiver
		must(t, c.UntilLost(ctx))
		if !slices.Equal(c.Calls, []string{"ConnectionMade", "ConnectionLost"}) || c.Err != nil {
			t.Errorf("calls %v, %v", c.Calls, c.Err)
		}
	})
}

// Drain returns when the connection ends.
func TestDrainReturnsTheEndOfTheConnection(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
		crowd(ctx, t, tr)
		tr.SetWriteBufferLimits(-1, 0)
		until(ctx, t, tr.WritePaused)
		join := goTask(ctx, tr.Drain)
		turns(ctx, t, 3)
		must(t, s.Abort())
		must(t, c.UntilLost(ctx))
		err := join(ctx)
		if e, ok := err.(*net.OpError); !ok || err != c.Err {
			t.Errorf("Drain = %v (%T), ConnectionLost with %v", err, e, c.Err)
		}
		c = &protocoltest.Checker{T: t}
		s, tr = pair(ctx, t, protocol.Config{}, c.Plain())
		tr.Close()
		wantErr(t, "Drain after Close", tr.Drain(ctx), net.ErrClosed)
		must(t, c.UntilLost(ctx))
		wantErr(t, "Drain after ConnectionLost", tr.Drain(ctx), net.ErrClosed)
		s.Close()
		canceled := goTask(ctx, func(ctx context.Context) error {
			task.Self(ctx).Cancel(nil)
			return tr.Drain(ctx)
		})
		if _, ok := canceled(ctx).(*task.Canceled); !ok {
			t.Error("Drain under a cancelled ctx")
		}
	})
}

// Large writes of odd sizes in both directions at the same time arrive unchanged.
func TestMegabytesInBothDirections(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t, Size: 50_000}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		there, back := pattern(2<<20, 1), pattern(2<<20, 2)
		write := goTask(ctx, func(ctx context.Context) error {
			_, err := s.Write(ctx, back)
			return err
		})
		read := goTask(ctx, func(ctx context.Context) error {
			got := make([]byte, len(there))
			_, err := s.ReadFull(ctx, got)
			if !bytes.Equal(got, there) {
				t.Errorf("the peer read a wrong byte at %d", differ(got, there))
			}
			return err
		})
		for rest, size := there, 1; len(rest) > 0; size = size*7%300_007 + 1 {
			size := min(size, len(rest))
			_, err := tr.WriteBuffers(rest[:size/3], nil, rest[size/3:size])
			must(t, err)
			rest = rest[size:]
			must(t, tr.Drain(ctx))
		}
		must(t, read(ctx))
		must(t, write(ctx))
		must(t, c.UntilData(ctx, len(back)))
		if !bytes.Equal(c.Data, back) {
			t.Errorf("a wrong byte at %d", differ(c.Data, back))
		}
		tr.Close()
		must(t, s.Close())
		must(t, c.UntilLost(ctx))
	})
}

// pattern returns n bytes that differ at every position.
func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16) + seed
	}
	return p
}

// Write keeps no reference to the caller's buffer. An empty Write does nothing.
func TestWriteCopies(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
		sent := crowd(ctx, t, tr)
		size := tr.WriteBufferSize()
		buf := []byte("before")
		_, err := tr.Write(buf)
		must(t, err)
		copy(buf, "after!")
		for _, empty := range [][]byte{nil, {}} {
			if n, err := tr.Write(empty); n != 0 || err != nil {
				t.Errorf("Write of nothing = %d, %v", n, err)
			}
		}
		if n, err := tr.WriteBuffers(); n != 0 || err != nil {
			t.Errorf("WriteBuffers of nothing = %d, %v", n, err)
		}
		if got := tr.WriteBufferSize(); got != size+6 {
			t.Errorf("%d bytes wait, want %d", got, size+6)
		}
		tr.Close()
		readAll(ctx, t, s, append(sent, "before"...))
		must(t, c.UntilLost(ctx))
		must(t, s.Close())
	})
}
