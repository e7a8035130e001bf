// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

// capacity is how many bytes one direction of a connection can hold.
const capacity = 64 << 10

func newPair(t testing.TB) (w *world, client, server poll.Handle) {
	w = newWorld(t, virtual.Config{})
	client, server = w.pair(tcp("127.0.0.1:0"))
	return w, client, server
}

// content returns n bytes that depend on their position.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}

func TestWriteWaitsForSpace(t *testing.T) {
	for _, n := range []int{capacity, capacity + 1, 3*capacity + 17} {
		for _, size := range []int{1000, capacity, 5 * capacity} {
			t.Run(fmt.Sprintf("%d by %d", n, size), func(t *testing.T) {
				w, client, server := newPair(t)
				want := content(n)
				writing := &poll.Op{Kind: poll.Write, Handle: client, Buf: want}
				inFlight := !w.Submit(writing)
				if inFlight != (n > capacity) {
					t.Fatalf("a Write of %d bytes in flight: %v", n, inFlight)
				}
				var got []byte
				for len(got) < n {
					op := w.mustFinish(read(server, size), nil)
					got = append(got, op.Buf[:op.N]...)
				}
				if !bytes.Equal(got, want) {
					t.Error("the bytes read differ from the bytes written")
				}
				if inFlight {
					w.mustReport(0, writing)
				}
				if writing.N != n || writing.Err != nil {
					t.Errorf("Write: %d, %v, want %d", writing.N, writing.Err, n)
				}
			})
		}
	}
}

func TestWriteOfSeveralBuffers(t *testing.T) {
	w, client, server := newPair(t)
	want := content(2*capacity + 5)
	bufs := [][]byte{nil, want[:3], {}, want[3:capacity], want[capacity : 2*capacity], want[2*capacity:], nil}
	writing := w.mustWait(&poll.Op{Kind: poll.Write, Handle: client, Bufs: bufs})
	var got []byte
	for len(got) < len(want) {
		op := w.mustFinish(read(server, 40000), nil)
		got = append(got, op.Buf[:op.N]...)
	}
	w.mustReport(0, writing)
	if !bytes.Equal(got, want) || writing.N != len(want) {
		t.Errorf("%d bytes written, %d read, equal: %v", writing.N, len(got), bytes.Equal(got, want))
	}
	w.mustFinish(&poll.Op{Kind: poll.Write, Handle: client, Bufs: [][]byte{}}, nil)
	w.mustFinish(&poll.Op{Kind: poll.Write, Handle: client, Bufs: [][]byte{nil, {}}}, nil)
}

func TestReadWithProvidedBuffer(t *testing.T) {
	w, client, server := newPair(t)
	reading := w.mustWait(&poll.Op{Kind: poll.Read, Handle: server})
	w.mustFinish(write(client, "hello"), nil)
	w.mustReport(0, reading)
	if string(reading.Buf) != "hello" || reading.N != 5 {
		t.Fatalf("a Read without a buffer read %q, N %d", reading.Buf, reading.N)
	}
	first := &reading.Buf[0]
	w.Recycle(reading.Buf)
	w.Recycle(nil)
	w.Recycle(make([]byte, 7))

	w.mustFinish(write(client, "again"), nil)
	reading.Buf = nil
	if w.mustFinish(reading, nil); string(reading.Buf) != "again" || &reading.Buf[0] != first {
		t.Errorf("the next Read read %q, in the same buffer: %v", reading.Buf, &reading.Buf[0] == first)
	}
	client.Close()
	reading.Buf = nil
	if w.mustFinish(reading, io.EOF); reading.Buf != nil {
		t.Errorf("a Read at the end of the stream has the buffer %q, want nil", reading.Buf)
	}
}

func TestEmptyBuffersFinishAtOnce(t *testing.T) {
	w, client, server := newPair(t)
	w.mustFinish(read(server, 0), nil)
	w.mustFinish(write(server, ""), nil)
	client.Close()
	w.mustFinish(read(server, 0), nil)
}

func TestCloseWriteEndsOneDirection(t *testing.T) {
	w, client, server := newPair(t)
	w.mustFinish(write(client, "question"), nil)
	for range 2 {
		if err := client.CloseWrite(); err != nil {
			t.Fatalf("CloseWrite: %v", err)
		}
	}
	w.mustFinish(write(client, "x"), syscall.EPIPE)
	if op := w.mustFinish(read(server, 99), nil); string(op.Buf[:op.N]) != "question" {
		t.Errorf("the peer read %q", op.Buf[:op.N])
	}
	w.mustFinish(read(server, 99), io.EOF)
	w.mustFinish(read(server, 99), io.EOF)
	w.mustFinish(write(server, "answer"), nil)
	server.Close()
	if op := w.mustFinish(read(client, 99), nil); string(op.Buf[:op.N]) != "answer" {
		t.Errorf("the other direction read %q", op.Buf[:op.N])
	}
	w.mustFinish(read(client, 99), io.EOF)
}

// Close and Abort end the operations in flight on both ends, and later operations fail.
func TestCloseAndAbortEndOperations(t *testing.T) {
	for _, c := range []struct {
		name                 string
		end                  func(poll.Handle) error
		mine, theirs, writes error
		data                 bool // the peer reads the bytes written before
	}{
		{"close", poll.Handle.Close, net.ErrClosed, io.EOF, syscall.EPIPE, true},
		{"abort", poll.Handle.Abort, net.ErrClosed, syscall.ECONNRESET, syscall.ECONNRESET, false},
	} {
		t.Run(c.name+"/reading", func(t *testing.T) {
			w, client, server := newPair(t)
			mine, theirs := w.mustWait(read(client, 1)), w.mustWait(read(server, 1))
			if err := c.end(client); err != nil {
				t.Fatal(err)
			}
			w.mustReport(0, mine, theirs)
			if mine.Err != c.mine || !errors.Is(theirs.Err, c.theirs) {
				t.Errorf("errors %v and %v, want %v and %v", mine.Err, theirs.Err, c.mine, c.theirs)
			}
			if err := c.end(client); err != net.ErrClosed {
				t.Errorf("the second call: %v, want net.ErrClosed", err)
			}
			for _, err := range []error{client.CloseWrite(), client.SetNoDelay(true)} {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("a method of a closed handle: %v, want net.ErrClosed", err)
				}
			}
			w.mustFinish(read(client, 1), net.ErrClosed)
			w.mustFinish(write(client, "x"), net.ErrClosed)
			w.mustFinish(read(server, 1), c.theirs)
			w.mustFinish(write(server, "x"), c.writes)
		})
		t.Run(c.name+"/writing", func(t *testing.T) {
			w, client, server := newPair(t)
			mine := w.mustWait(&poll.Op{Kind: poll.Write, Handle: client, Buf: make([]byte, 2*capacity)})
			theirs := w.mustWait(&poll.Op{Kind: poll.Write, Handle: server, Buf: make([]byte, 2*capacity)})
			c.end(client)
			w.mustReport(0, mine, theirs)
			if mine.Err != c.mine || !errors.Is(theirs.Err, c.writes) {
				t.Errorf("errors %v and %v, want %v and %v", mine.Err, theirs.Err, c.mine, c.writes)
			}
			if mine.N != capacity || theirs.N != capacity {
				t.Errorf("%d and %d bytes taken, want %d", mine.N, theirs.N, capacity)
			}
			if c.data {
				w.mustFinish(read(server, capacity), nil)
			}
			w.mustFinish(read(server, 1), c.theirs)
		})
	}
}

func TestCloseWriteEndsWriteInFlight(t *testing.T) {
	w, client, server := newPair(t)
	writing := w.mustWait(&poll.Op{Kind: poll.Write, Handle: client, Buf: make([]byte, capacity+1)})
	client.CloseWrite()
	w.mustReport(0, writing)
	if !errors.Is(writing.Err, syscall.EPIPE) || writing.N != capacity {
		t.Errorf("Write: %d, %v, want %d and EPIPE", writing.N, writing.Err, capacity)
	}
	w.mustFinish(read(server, capacity), nil)
	w.mustFinish(read(server, 1), io.EOF)
}

func TestCloseWriteAfterReset(t *testing.T) {
	_, client, server := newPair(t)
	server.Abort()
	if err := client.CloseWrite(); !errors.Is(err, syscall.ENOTCONN) {
		t.Errorf("CloseWrite = %v, want ENOTCONN", err)
	}
}

func TestCancelLosesNoBytes(t *testing.T) {
	w, client, server := newPair(t)
	reading := w.mustWait(read(server, 9))
	w.Cancel(reading)
	w.mustFinish(write(client, "kept"), nil)
	w.mustReport(0, reading)
	if reading.Err != poll.ErrCanceled || reading.N != 0 {
		t.Errorf("a cancelled Read: %d, %v", reading.N, reading.Err)
	}
	if op := w.mustFinish(read(server, 9), nil); string(op.Buf[:op.N]) != "kept" {
		t.Errorf("the next Read read %q", op.Buf[:op.N])
	}

	writing := w.mustWait(&poll.Op{Kind: poll.Write, Handle: client, Buf: make([]byte, capacity+9)})
	w.Cancel(writing)
	w.mustReport(0, writing)
	if writing.Err != poll.ErrCanceled || writing.N != capacity {
		t.Errorf("a cancelled Write: %d, %v, want %d bytes", writing.N, writing.Err, capacity)
	}
}

func TestCancelAfterResultDoesNothing(t *testing.T) {
	w, client, server := newPair(t)
	reading := w.mustWait(read(server, 9))
	w.mustFinish(write(client, "first"), nil)
	w.Cancel(reading)
	w.mustReport(0, reading)
	if reading.Err != nil || reading.N != 5 {
		t.Errorf("a Read cancelled after its bytes came: %d, %v", reading.N, reading.Err)
	}
}

func TestSecondOperationOfDirectionIsBusy(t *testing.T) {
	w, client, server := newPair(t)
	w.mustWait(read(server, 1))
	w.mustFinish(read(server, 1), poll.ErrBusy)
	w.mustFinish(&poll.Op{Kind: poll.Readable, Handle: server}, poll.ErrBusy)
	w.mustWait(&poll.Op{Kind: poll.Write, Handle: client, Buf: make([]byte, 2*capacity)})
	w.mustFinish(write(client, "x"), poll.ErrBusy)
	w.mustFinish(&poll.Op{Kind: poll.Writable, Handle: client}, poll.ErrBusy)
	w.mustFinish(&poll.Op{Kind: poll.Accept, Handle: client}, syscall.EINVAL)
}

func TestHandleOfAnotherPollerIsForeign(t *testing.T) {
	w, client, _ := newPair(t)
	other := newWorld(t, virtual.Config{})
	other.mustFinish(read(client, 1), poll.ErrForeign)
	other.mustFinish(&poll.Op{Kind: poll.Accept, Handle: w.listen(tcp("127.0.0.1:1"), poll.ListenOptions{})}, poll.ErrForeign)
	other.mustFinish(read(nil, 1), poll.ErrForeign)
	other.mustFinish(&poll.Op{Kind: 99, Handle: client}, errors.ErrUnsupported)
	other.mustFinish(&poll.Op{}, errors.ErrUnsupported)

	reading := w.mustWait(read(client, 1))
	other.Cancel(reading)
	other.mustReport(0)
	w.mustReport(0)
}

func TestSubmitOfOperationInFlightPanics(t *testing.T) {
	w, client, server := newPair(t)
	for _, state := range []string{"waiting", "completed"} {
		reading := w.mustWait(read(server, 1))
		if state == "completed" {
			w.mustFinish(write(client, "x"), nil)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Submit of an operation that is %s did not panic", state)
				}
			}()
			w.Submit(reading)
		}()
		w.Cancel(reading)
		w.mustReport(0, reading)
	}
}

func TestReadableAndWritable(t *testing.T) {
	w, client, server := newPair(t)
	readable := &poll.Op{Kind: poll.Readable, Handle: server}
	writable := &poll.Op{Kind: poll.Writable, Handle: client}
	w.mustFinish(writable, nil)
	w.mustWait(readable)
	w.mustFinish(write(client, "x"), nil)
	w.mustReport(0, readable)
	w.mustFinish(readable, nil)
	w.mustFinish(read(server, 9), nil)
	w.mustWait(readable)

	writing := w.mustWait(&poll.Op{Kind: poll.Write, Handle: client, Buf: make([]byte, capacity+1)})
	w.mustReport(0, readable)
	w.Cancel(writing)
	w.mustReport(0, writing)
	w.mustWait(writable)
	w.mustFinish(read(server, 1), nil)
	w.mustReport(0, writable)
	w.mustFinish(write(client, "x"), nil)
	w.mustWait(writable)

	server.Abort()
	w.mustReport(0, writable)
	for _, op := range []*poll.Op{writable, {Kind: poll.Readable, Handle: client}} {
		if w.mustFinish(op, nil); op.Err != nil {
			t.Errorf("%v of a reset stream: %v, want nil; the next operation reports the error", op.Kind, op.Err)
		}
	}
}

func TestSetNoDelaySucceedsAndAdoptFails(t *testing.T) {
	w, client, _ := newPair(t)
	if err := client.SetNoDelay(false); err != nil {
		t.Errorf("SetNoDelay: %v", err)
	}
	if _, err := w.Adopt(0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Adopt: %v, want ErrUnsupported", err)
	}
}
