// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"baton/netio"
	"baton/task"
)

// eachLayer runs fn in every world, with and without TLS.
func eachLayer(t *testing.T, fn func(ctx context.Context, t *testing.T, near, far *netio.Stream)) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		fn(ctx, t, near, far)
		near.Close()
		far.Close()
	})
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.encrypted(ctx, t, netio.StreamConfig{})
		fn(ctx, t, near, far)
		near.Close()
		far.Close()
	})
}

// calm gives the loop time to receive what was sent. The tests pass even if the time is too short.
func calm(ctx context.Context, t *testing.T) {
	t.Helper()
	want(t, "sleep", sleep(ctx, 2*time.Millisecond), nil)
}

// reads are the reading calls, and what each returns of "one\ntwo". After these bytes the peer has
// closed.
var reads = []struct {
	name string
	read func(ctx context.Context, s *netio.Stream) (string, error)
}{
	{"Read", func(ctx context.Context, s *netio.Stream) (string, error) {
		p := make([]byte, 7)
		n, err := s.Read(ctx, p)
		for err == nil && n < len(p) {
			var m int
			m, err = s.Read(ctx, p[n:])
			n += m
		}
		return string(p[:n]), err
	}},
	{"ReadFull", func(ctx context.Context, s *netio.Stream) (string, error) {
		p := make([]byte, 7)
		n, err := s.ReadFull(ctx, p)
		return string(p[:n]), err
	}},
	{"Peek", func(ctx context.Context, s *netio.Stream) (string, error) {
		p, err := s.Peek(ctx, 7)
		return string(p), err
	}},
	{"ReadLine", func(ctx context.Context, s *netio.Stream) (string, error) {
		line, err := s.ReadLine(ctx)
		rest, err2 := s.ReadAll(ctx, 100)
		return line + "\n" + string(rest), errors.Join(err, err2)
	}},
	{"ReadUntil", func(ctx context.Context, s *netio.Stream) (string, error) {
		p, err := s.ReadUntil(ctx, []byte("wo"))
		return string(p), err
	}},
	{"ReadAll", func(ctx context.Context, s *netio.Stream) (string, error) {
		p, err := s.ReadAll(ctx, 100)
		return string(p), err
	}},
	{"Copy", func(ctx context.Context, s *netio.Stream) (string, error) {
		var b strings.Builder
		_, err := netio.Copy(ctx, writerFunc(func(p []byte) { b.Write(p) }), s)
		return b.String(), err
	}},
	{"Lines", func(ctx context.Context, s *netio.Stream) (string, error) {
		var lines []string
		for line, err := range s.Lines(ctx) {
			if err != nil && err != io.ErrUnexpectedEOF {
				return "", err
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "\n"), nil
	}},
	{"NetConn", func(ctx context.Context, s *netio.Stream) (string, error) {
		p, err := io.ReadAll(s.NetConn(ctx))
		return string(p), err
	}},
}

type writerFunc func(p []byte)

func (w writerFunc) Write(_ context.Context, p []byte) (int, error) {
	w(p)
	return len(p), nil
}

// Every reading call takes over a ReadAhead that is in flight, has read bytes, or has read the end
// of the stream.
func TestReadAheadIsTakenOver(t *testing.T) {
	for _, c := range reads {
		t.Run(c.name, func(t *testing.T) {
			eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
				send := func(ctx context.Context) (int, error) {
					write(ctx, t, far, "one\n")
					calm(ctx, t)
					write(ctx, t, far, "two")
					return 0, far.CloseWrite()
				}
				near.ReadAhead(func(err error) { t.Errorf("gone was called with %v before a call has read", err) })
				sending := task.Start(ctx, send)
				if len(c.name)%2 == 0 { // some calls start while the read is in flight, some after it
					calm(ctx, t)
				}
				got, err := c.read(ctx, near)
				if got != "one\ntwo" || err != nil {
					t.Errorf("read %q, %v; want \"one\\ntwo\"", got, err)
				}
				_, err = sending.Await(ctx)
				want(t, "send", err, nil)
				if c.name == "Peek" {
					return
				}
				near.ReadAhead(nil)
				calm(ctx, t)
				if n, err := near.Read(ctx, make([]byte, 10)); n != 0 || err != io.EOF {
					t.Errorf("Read at the end = %d, %v", n, err)
				}
			})
		})
	}
}

// At the end of the stream the loop calls gone once, in a callback, with the error that Read
// returns.
func TestReadAheadFindsTheEnd(t *testing.T) {
	eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		var got []error
		driver := task.Loop(ctx).Driver()
		near.ReadAhead(func(error) { t.Error("the function of a replaced ReadAhead was called") })
		near.ReadAhead(func(err error) {
			if !driver.InCallback() {
				t.Error("gone was called outside a callback")
			}
			got = append(got, err)
		})
		calm(ctx, t)
		if len(got) > 0 {
			t.Fatalf("gone was called with %v before the end", got)
		}
		want(t, "CloseWrite", far.CloseWrite(), nil)
		for n := 0; len(got) == 0 && n < 1000; n++ {
			calm(ctx, t)
		}
		calm(ctx, t)
		if len(got) != 1 || got[0] != io.EOF {
			t.Errorf("gone was called with %v, want io.EOF once", got)
		}
		near.ReadAhead(func(err error) { got = append(got, err) })
		calm(ctx, t)
		if len(got) != 2 || got[1] != io.EOF {
			t.Errorf("after another ReadAhead gone was called with %v, want io.EOF twice", got)
		}
		_, err := near.Read(ctx, make([]byte, 1))
		want(t, "Read", err, io.EOF)
	})
}

// gone is not called once a call has read, even if the call has returned.
func TestReadAheadIsSilentAfterARead(t *testing.T) {
	for _, c := range []struct {
		name string
		read func(ctx context.Context, s *netio.Stream) error
	}{
		{"Read", func(ctx context.Context, s *netio.Stream) error { _, err := s.Read(ctx, make([]byte, 1)); return err }},
		{"ReadLine", func(ctx context.Context, s *netio.Stream) error { _, err := s.ReadLine(ctx); return err }},
		{"Peek", func(ctx context.Context, s *netio.Stream) error { _, err := s.Peek(ctx, 1); return err }},
		{"NetConn", func(ctx context.Context, s *netio.Stream) error {
			_, err := s.NetConn(ctx).Read(make([]byte, 1))
			return err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
				want(t, "CloseWrite", far.CloseWrite(), nil)
				calm(ctx, t)
				near.ReadAhead(func(err error) { t.Errorf("gone was called with %v after a call has returned it", err) })
				want(t, c.name, c.read(ctx, near), io.EOF)
				calm(ctx, t)
			})
		})
	}
}

// A call that has taken over a ReadAhead can be cancelled and can time out. No byte is lost.
func TestReadAheadIsTakenOverAndEndsEarly(t *testing.T) {
	eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		gone := func(err error) { t.Errorf("gone was called with %v", err) }
		near.ReadAhead(gone)
		reader := task.Start(ctx, near.ReadLine)
		calm(ctx, t)
		reader.Cancel(nil)
		_, err := reader.Await(ctx)
		if _, bare := err.(*task.Canceled); !bare {
			t.Errorf("a cancelled ReadLine = %v", err)
		}
		near.ReadAhead(gone)
		near.SetReadTimeout(3 * time.Millisecond)
		_, err = near.Read(ctx, make([]byte, 1))
		want(t, "a Read with a timeout", err, os.ErrDeadlineExceeded)
		near.ReadAhead(gone)
		conn := near.NetConn(ctx)
		want(t, "SetReadDeadline", conn.SetReadDeadline(task.Now(ctx).Add(3*time.Millisecond)), nil)
		near.SetReadTimeout(0)
		_, err = conn.Read(make([]byte, 1))
		want(t, "a Read with a deadline", err, os.ErrDeadlineExceeded)
		want(t, "SetReadDeadline", conn.SetReadDeadline(time.Time{}), nil)
		near.ReadAhead(gone)
		if n, err := near.Read(ctx, nil); n != 0 || err != nil {
			t.Errorf("a Read without a buffer = %d, %v", n, err)
		}
		write(ctx, t, far, "hello\n")
		line, err := near.ReadLine(ctx)
		if line != "hello" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
	})
}

// Close ends a ReadAhead and a call that has taken it over. gone is not called.
func TestReadAheadAndClose(t *testing.T) {
	for _, taken := range []bool{false, true} {
		for _, end := range []func(*netio.Stream) error{(*netio.Stream).Close, (*netio.Stream).Abort} {
			eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
				near.ReadAhead(func(err error) { t.Errorf("gone was called with %v", err) })
				read := func() (string, error) { return "", net.ErrClosed }
				if taken {
					reader := task.Start(ctx, near.ReadLine)
					read = func() (string, error) { return reader.Await(ctx) }
				}
				calm(ctx, t)
				want(t, "Close", end(near), nil)
				_, err := read()
				want(t, "ReadLine", err, net.ErrClosed)
				near.ReadAhead(func(error) { t.Error("gone was called after Close") })
				near.Unread([]byte("x"))
				calm(ctx, t)
				_, err = near.Read(ctx, make([]byte, 1))
				want(t, "Read after Close", err, net.ErrClosed)
			})
		}
	}
}

// StartTLS can begin while a ReadAhead waits for bytes.
func TestReadAheadAndStartTLS(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{TLS: netio.TLSOptions{HandshakeTimeout: 5 * time.Second}})
		defer near.Close()
		defer far.Close()
		a := newAuthority(t)
		for layer := range 2 { // the second one inside the first
			near.ReadAhead(func(err error) { t.Errorf("gone was called with %v", err) })
			far.ReadAhead(func(err error) { t.Errorf("gone was called with %v", err) })
			nearErr, farErr := shake(ctx, near, far, a.client(), a.server(t))
			if nearErr != nil || farErr != nil {
				t.Fatalf("handshake %d: %v; %v", layer, nearErr, farErr)
			}
			near.ReadAhead(nil)
			write(ctx, t, far, "hello\n")
			line, err := near.ReadLine(ctx)
			if line != "hello" || err != nil {
				t.Errorf("ReadLine = %q, %v", line, err)
			}
		}
	})
}

// Detach ends a ReadAhead and keeps the bytes that it has read.
func TestReadAheadAndDetach(t *testing.T) {
	eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		for _, early := range []string{"", "a", "b"} {
			near.ReadAhead(func(err error) { t.Errorf("gone was called with %v", err) })
			write(ctx, t, far, early)
			if early == "b" {
				calm(ctx, t)
			}
			d, err := near.Detach(ctx)
			want(t, "Detach", err, nil)
			near = d.Stream(netio.StreamConfig{})
			write(ctx, t, far, "hello\n")
			line, err := near.ReadLine(ctx)
			if line != early+"hello" || err != nil {
				t.Errorf("ReadLine = %q, %v", line, err)
			}
		}
	})
}

// A Close takes effect while Detach waits for the end of a ReadAhead.
func TestCloseDuringDetach(t *testing.T) {
	eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		near.ReadAhead(nil)
		detaching := task.Start(ctx, near.Detach)
		task.Loop(ctx).CallSoon(func() { near.Close() })
		_, err := detaching.Await(ctx)
		want(t, "Detach", err, net.ErrClosed)
	})
}

// A detached stream is closed: its calls do not use the connection.
func TestDetachedStreamIsClosed(t *testing.T) {
	eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		d, err := near.Detach(ctx)
		want(t, "Detach", err, nil)
		write(ctx, t, far, "hello\n")
		calm(ctx, t)
		near.ReadAhead(func(err error) { t.Errorf("gone was called with %v", err) })
		_, err = near.Read(ctx, make([]byte, 1))
		want(t, "Read", err, net.ErrClosed)
		_, err = near.ReadLine(ctx)
		want(t, "ReadLine", err, net.ErrClosed)
		_, err = near.Write(ctx, []byte("x"))
		want(t, "Write", err, net.ErrClosed)
		_, err = near.WriteBuffers(ctx, []byte("x"), []byte("y"))
		want(t, "WriteBuffers", err, net.ErrClosed)
		want(t, "CloseWrite", near.CloseWrite(), net.ErrClosed)
		want(t, "SetNoDelay", near.SetNoDelay(true), net.ErrClosed)
		want(t, "Close", near.Close(), net.ErrClosed)
		_, err = near.Detach(ctx)
		want(t, "Detach", err, net.ErrClosed)
		again := d.Stream(netio.StreamConfig{})
		defer again.Close()
		line, err := again.ReadLine(ctx)
		if line != "hello" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
		write(ctx, t, again, "bye\n")
		line, err = far.ReadLine(ctx)
		if line != "bye" || err != nil {
			t.Errorf("ReadLine of the peer = %q, %v", line, err)
		}
	})
}

// ReadAll with the limit 0 finds out whether there are more bytes, even from a ReadAhead.
func TestReadAheadAndReadAllOfNothing(t *testing.T) {
	for _, c := range []struct {
		sent string
		want error
	}{{"", nil}, {"x", netio.ErrTooLong}} {
		eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
			near.ReadAhead(nil)
			write(ctx, t, far, c.sent)
			want(t, "CloseWrite", far.CloseWrite(), nil)
			_, err := near.ReadAll(ctx, 0)
			want(t, "ReadAll", err, c.want)
			rest, err := near.ReadAll(ctx, 10)
			if string(rest) != c.sent || err != nil {
				t.Errorf("the rest is %q, %v", rest, err)
			}
		})
	}
}

// Reads return the bytes of Unread first, then the buffered ones.
func TestUnread(t *testing.T) {
	eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		write(ctx, t, far, "789")
		_, err := near.Peek(ctx, 3)
		want(t, "Peek", err, nil)
		p := []byte("456")
		near.Unread(p)
		p[0] = 'x' // Unread has copied it
		near.Unread([]byte("123"))
		near.Unread(nil)
		near.ReadAhead(func(err error) { t.Errorf("gone was called with %v", err) }) // does nothing
		if n := near.Buffered(); n != 9 {
			t.Errorf("Buffered = %d, want 9", n)
		}
		got := make([]byte, 9)
		_, err = near.ReadFull(ctx, got)
		if string(got) != "123456789" || err != nil {
			t.Errorf("ReadFull read %q, %v", got, err)
		}
		long := bytes.Repeat([]byte("long "), 20_000)
		near.Unread(long)
		near.ReadAhead(nil)
		want(t, "CloseWrite", far.CloseWrite(), nil)
		got, err = near.ReadAll(ctx, 1<<20)
		if !bytes.Equal(got, long) || err != nil {
			t.Errorf("ReadAll returned %d bytes, %v, want %d", len(got), err, len(long))
		}
	})
}

// Unread panics during a read.
func TestUnreadDuringARead(t *testing.T) {
	eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		near.ReadAhead(nil)
		panics(t, "Unread during a ReadAhead", func() { near.Unread([]byte("x")); panic("none") }, "during a read")
		reader := task.Start(ctx, near.ReadLine)
		calm(ctx, t)
		panics(t, "Unread during a ReadLine", func() { near.Unread([]byte("x")); panic("none") }, "during a read")
		write(ctx, t, far, "hello\n")
		line, err := reader.Await(ctx)
		if line != "hello" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
	})
}

// Bytes arrive in order, whatever the program does between two reading calls.
func TestReadAheadUnderTraffic(t *testing.T) {
	eachLayer(t, func(ctx context.Context, t *testing.T, near, far *netio.Stream) {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		sent := make([]byte, 200_000)
		for i := range sent {
			sent[i] = byte(random.Uint32())
		}
		sending := task.Start(ctx, func(ctx context.Context) (int, error) {
			for rest := sent; len(rest) > 0; {
				n := min(len(rest), 1+random.IntN(5000))
				if _, err := far.Write(ctx, rest[:n]); err != nil {
					return 0, err
				}
				rest = rest[n:]
				if err := task.Yield(ctx); err != nil {
					return 0, err
				}
			}
			return 0, far.CloseWrite()
		})
		near, got := readAnyhow(ctx, t, near, random)
		defer near.Close()
		if !bytes.Equal(got, sent) {
			t.Errorf("received %d bytes that differ from the %d sent; seed %d", len(got), len(sent), seed)
		}
		_, err := sending.Await(ctx)
		want(t, "send", err, nil)
	})
}

// readAnyhow reads to the end of s by random calls. It may replace the stream and returns the last
// one.
func readAnyhow(ctx context.Context, t *testing.T, s *netio.Stream, random *rand.Rand) (*netio.Stream, []byte) {
	var got []byte
	ended := 0
	for {
		switch random.IntN(8) {
		case 0, 1, 2:
			if ended == 0 {
				s.ReadAhead(func(err error) {
					want(t, "gone", err, io.EOF)
					ended++
				})
			}
		case 3:
			task.Yield(ctx)
		case 4:
			d, err := s.Detach(ctx)
			want(t, "Detach", err, nil)
			s = d.Stream(netio.StreamConfig{})
		case 5:
			_, err := s.Peek(ctx, 1+random.IntN(100))
			if err != io.EOF {
				want(t, "Peek", err, nil)
			}
		case 6: // a Read that is cancelled
			p := make([]byte, 1+random.IntN(3000))
			read := task.Start(ctx, func(ctx context.Context) (int, error) { return s.Read(ctx, p) })
			for range random.IntN(3) {
				task.Yield(ctx)
			}
			read.Cancel(nil)
			n, _ := read.Await(ctx)
			got = append(got, p[:n]...)
		case 7:
			p := make([]byte, 1+random.IntN(3000))
			n, err := s.Read(ctx, p)
			if got = append(got, p[:n]...); err != nil {
				want(t, "Read", err, io.EOF)
				return s, got
			}
			if back := random.IntN(n + 1); back > 0 {
				s.Unread(got[len(got)-back:])
				got = got[:len(got)-back]
			}
		}
	}
}
