// SPDX-License-Identifier: Apache-2.0

package virtual_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

// A script runs random calls in one world: it listens, connects, accepts, reads, writes,
// cancels and closes. It records all results, and checks invariants.
type script struct {
	*world
	source    *rand.ChaCha8
	rand      *rand.Rand
	listeners []poll.Handle
	conns     []*endpoint
	inFlight  []*poll.Op
	trace     strings.Builder
}

// An endpoint is one end of a connection. Its operations are in order of submission, which is
// the order of the bytes, whenever Wait reports the operations.
type endpoint struct {
	handle        poll.Handle
	reads, writes []*poll.Op
}

// name identifies one end of a connection. The name of the peer has the addresses swapped.
func name(from, to net.Addr) string { return fmt.Sprint(from, "-", to) }

// moved returns the bytes that ops have moved.
func moved(ops []*poll.Op) []byte {
	var all []byte
	for _, op := range ops {
		all = append(all, op.Buf[:op.N]...)
	}
	return all
}

func newScript(t testing.TB, seed uint64) *script {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	s := &script{source: rand.NewChaCha8(key)}
	s.rand = rand.New(s.source)
	s.world = newWorld(t, virtual.Config{Dial: func(net.Addr) (time.Duration, error) {
		switch s.rand.IntN(8) {
		case 0:
			return time.Duration(s.rand.IntN(5)) - 1, io.ErrNoProgress
		case 1:
			return -1, nil
		case 2, 3:
			return time.Duration(s.rand.IntN(5)), nil
		}
		return 0, nil
	}})
	return s
}

// play runs a script and returns its trace.
func play(t testing.TB, seed uint64, steps int) string {
	s := newScript(t, seed)
	for range steps {
		s.step()
	}
	for _, op := range slices.Clone(s.inFlight) {
		s.Cancel(op)
	}
	s.settle(0)
	if len(s.inFlight) > 0 {
		t.Errorf("seed %d: %v are still in flight after Cancel and Wait", seed, kinds(s.inFlight))
	}
	peers := make(map[string]*endpoint)
	for _, c := range s.conns {
		peers[name(c.handle.LocalAddr(), c.handle.RemoteAddr())] = c
	}
	for _, c := range s.conns {
		// A client's end may have no peer, because it was not accepted. A server's end always
		// has one.
		if peer := peers[name(c.handle.RemoteAddr(), c.handle.LocalAddr())]; peer != nil {
			if !bytes.HasPrefix(moved(peer.writes), moved(c.reads)) {
				t.Errorf("seed %d: an end has read bytes that its peer has not written", seed)
			}
		} else if len(moved(c.reads)) > 0 {
			t.Errorf("seed %d: an end without a peer has read bytes", seed)
		}
	}
	return s.trace.String()
}

func (s *script) step() {
	switch n := s.rand.IntN(20); {
	case n == 0 || len(s.listeners) == 0:
		addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}
		s.listeners = append(s.listeners, s.listen(addr, poll.ListenOptions{Backlog: 1 + s.rand.IntN(3)}))
	case n < 3 || len(s.conns) == 0:
		s.submit(&poll.Op{Kind: poll.Connect, Addr: pick(s, s.listeners).LocalAddr()})
		s.submit(&poll.Op{Kind: poll.Accept, Handle: pick(s, s.listeners)})
	case n < 9:
		c := pick(s, s.conns)
		op := read(c.handle, s.rand.IntN(40000))
		c.reads = append(c.reads, op)
		s.submit(op)
	case n < 15:
		c := pick(s, s.conns)
		op := s.writing(c.handle)
		c.writes = append(c.writes, op)
		s.submit(op)
	case n == 15 && len(s.inFlight) > 0:
		s.Cancel(pick(s, s.inFlight))
	case n == 16 && s.rand.IntN(8) == 0:
		s.note("close", pick(s, s.listeners).Close())
	case n == 17 && s.rand.IntN(4) == 0:
		end := pick(s, []func(poll.Handle) error{poll.Handle.Close, poll.Handle.Abort, poll.Handle.CloseWrite})
		s.note("end", end(pick(s, s.conns).handle))
	case n > 17:
		s.settle(time.Duration(s.rand.IntN(3)))
	}
}

func pick[T any](s *script, from []T) T { return from[s.rand.IntN(len(from))] }

// writing returns a Write of random bytes in one or several buffers.
func (s *script) writing(h poll.Handle) *poll.Op {
	op := &poll.Op{Kind: poll.Write, Handle: h, Buf: make([]byte, s.rand.IntN(50000))}
	s.source.Read(op.Buf)
	if s.rand.IntN(2) == 0 {
		cut := s.rand.IntN(len(op.Buf) + 1)
		op.Bufs = [][]byte{op.Buf[:cut], op.Buf[cut:]}
	}
	return op
}

func (s *script) submit(op *poll.Op) {
	if s.Submit(op) {
		s.ended("at once", op)
	} else {
		s.inFlight = append(s.inFlight, op)
	}
}

// settle waits and handles the reported operations.
func (s *script) settle(d time.Duration) {
	for _, op := range s.Wait(nil, d) {
		i := slices.Index(s.inFlight, op)
		if i < 0 {
			s.t.Fatalf("Wait reported a %v that is not in flight", op.Kind)
		}
		s.inFlight = slices.Delete(s.inFlight, i, i+1)
		s.ended("later", op)
	}
	s.note("now", s.Now())
}

func (s *script) ended(when string, op *poll.Op) {
	s.note(when, op.Kind, op.N, op.Err)
	switch {
	case op.Kind == poll.Connect && op.Err == nil:
		s.join(op.Handle)
	case op.Kind == poll.Accept && op.Err == nil:
		s.join(op.Accepted)
	case op.Kind == poll.Write && op.Err == nil && op.N != len(op.Buf):
		s.t.Fatalf("Write of %d bytes finished with N %d and no error", len(op.Buf), op.N)
	}
}

func (s *script) join(h poll.Handle) {
	s.conns = append(s.conns, &endpoint{handle: h})
	s.note("join", h.LocalAddr(), h.RemoteAddr())
}

func (s *script) note(what ...any) { fmt.Fprintln(&s.trace, what...) }

func TestSameSeedGivesSameTrace(t *testing.T) {
	traces := make(map[string]uint64)
	for range 20 {
		seed := rand.Uint64()
		first, second := play(t, seed, 500), play(t, seed, 500)
		if first != second {
			t.Errorf("seed %d: two runs of one script differ", seed)
		}
		if other, ok := traces[first]; ok {
			t.Errorf("seeds %d and %d gave the same trace", seed, other)
		}
		traces[first] = seed
	}
}

// The random scripts must produce every kind of error.
func TestScriptsReachEveryError(t *testing.T) {
	var all strings.Builder
	for seed := range uint64(20) {
		all.WriteString(play(t, seed, 500))
	}
	for _, want := range []error{
		poll.ErrCanceled, poll.ErrBusy, net.ErrClosed, io.EOF, io.ErrNoProgress,
		errors.New("connection reset"), errors.New("connection refused"), errors.New("broken pipe"),
	} {
		if !strings.Contains(all.String(), want.Error()) {
			t.Errorf("no script got the error %q", want)
		}
	}
}

func FuzzScript(f *testing.F) {
	f.Add(uint64(0), uint16(300))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) { play(t, seed, int(steps%1000)) })
}
