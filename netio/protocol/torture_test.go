// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/sim"
	"baton/task"
)

// Two transports do what comes to their mind, each many times, with their checkers
// looking at the order of the calls. What one received is the beginning of what the other
// sent, and all of it after an end in order. Run one again with -sim.seed, and its number
// is that of the subtest.
func TestTorture(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 50
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			sim.Config{Seed: seed + 1}.Test(t, func(ctx context.Context, t *testing.T) {
				torture(ctx, t, rand.New(rand.NewPCG(seed, 7)))
			})
		})
	}
}

// A victim is one end of the connection.
type victim struct {
	*protocoltest.Checker
	t        *testing.T
	random   *rand.Rand
	sent     []byte
	received []byte // by checkers before
	sudden   bool   // it was ended without order

	detaching bool
	ending    bool
	detached  *netio.Detached
}

func torture(ctx context.Context, t *testing.T, random *rand.Rand) {
	secure := random.IntN(3) == 0
	near, far := streams(ctx, t)
	if secure {
		server, client := certificate(t)
		join := goTask(ctx, func(ctx context.Context) error { return far.AcceptTLS(ctx, server) })
		must(t, near.StartTLS(ctx, client))
		must(t, join(ctx))
	}
	ends := [2]*victim{}
	canceled := false
	err := task.Scope(ctx, func(ctx context.Context) error {
		for i, s := range []*netio.Stream{near, far} {
			v := &victim{t: t, random: random}
			ends[i] = v
			d, err := s.Detach(ctx)
			must(t, err)
			v.detached = d
			task.Go(ctx, func(ctx context.Context) error { return v.live(ctx, 30+random.IntN(100)) })
		}
		if random.IntN(10) == 0 {
			for range random.IntN(100) {
				must(t, task.Yield(ctx))
			}
			canceled = true
			task.ScopeOf(ctx).Cancel(nil)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for i, v := range ends {
		peer := ends[1-i]
		got := append(v.received, v.Data...)
		if !bytes.HasPrefix(peer.sent, got) {
			t.Errorf("end %d has received something else at %d: %d of %d bytes; secure %v, canceled %v, sudden %v %v", i, differ(peer.sent, got), len(got), len(peer.sent), secure, canceled, v.sudden, peer.sudden)
		}
		if !v.Lost() {
			t.Errorf("end %d has no ConnectionLost", i)
		}
		if !canceled && !v.sudden && !peer.sudden && (v.Err != nil || len(got) < len(peer.sent)) {
			t.Errorf("end %d has received %d bytes of %d, %v", i, len(got), len(peer.sent), v.Err)
		}
	}
}

// attach makes a transport of the connection.
func (v *victim) attach(ctx context.Context) error {
	c := &protocoltest.Checker{T: v.t, Size: 1 + v.random.IntN(3000)}
	c.OnEOF = func() bool { return true } // what is to be sent still goes out
	if v.Checker != nil {
		v.received = append(v.received, v.Data...)
	}
	v.Checker = c
	act := func() {
		if v.random.IntN(3) == 0 {
			v.act()
		}
	}
	c.OnMade = act
	c.OnData = func([]byte) { act() }
	c.OnBuffer = act
	c.OnPause = act
	c.OnResume = act
	c.OnReceive = func(ctx context.Context, _ []byte) error {
		for range v.random.IntN(3) {
			if err := task.Yield(ctx); err != nil {
				return err
			}
		}
		act()
		return nil
	}
	d := v.detached
	v.detached = nil
	limit := v.random.IntN(100_000)
	_, err := protocol.Config{HighWater: limit, LowWater: limit / 2}.Attach(ctx, d, face(c, v.random.IntN(3)))
	return err
}

// live does n things, and then ends the connection.
func (v *victim) live(ctx context.Context, n int) error {
	if v.attach(ctx) != nil {
		return nil // the scope is cancelled
	}
	for range n {
		for range v.random.IntN(4) {
			if err := task.Yield(ctx); err != nil {
				return nil
			}
		}
		if v.Transport.IsClosing() {
			break
		}
		switch v.random.IntN(40) {
		case 0:
			d, err := v.detach(ctx)
			if err != nil {
				break
			}
			if err := v.UntilLost(ctx); err != nil {
				return d.Close()
			}
			v.detached = d
			if err := v.attach(ctx); err != nil {
				return nil
			}
		case 1:
			timed, release := await.WithTimeout(ctx, time.Second) // the peer may be paused
			_ = v.Transport.Drain(timed)
			release()
		default:
			v.act()
		}
	}
	v.end(ctx)
	return nil
}

// detach takes the connection, if the peer reads what is still to be sent.
func (v *victim) detach(ctx context.Context) (*netio.Detached, error) {
	timed, release := await.WithTimeout(ctx, time.Second)
	defer release()
	v.detaching = true
	defer func() { v.detaching = false }()
	return v.Transport.Detach(timed)
}

// end ends the connection in order: the last of the two to read the end of the stream
// closes it.
func (v *victim) end(ctx context.Context) {
	if v.Transport.IsClosing() {
		return
	}
	v.ending = true
	v.Transport.ResumeReading()
	v.Transport.CloseWrite()
	eof := false
	v.OnEOF = func() bool { return false }
	for _, call := range v.Calls {
		eof = eof || call == "EOFReceived"
	}
	if eof {
		v.Transport.Close()
	}
	_ = v.UntilLost(ctx) // or the scope is cancelled
}

// act does one thing, in a callback or in a task.
func (v *victim) act() {
	tr := v.Transport
	if tr == nil || v.ending || tr.IsClosing() {
		return
	}
	switch v.random.IntN(20) {
	case 0, 1, 2, 3, 4, 5, 6, 7:
		p := pattern(v.random.IntN(10_000), byte(len(v.sent)))
		if v.detaching {
			return // Write is misuse
		}
		had := len(v.sent)
		v.sent = append(v.sent, p...) // before PauseWriting may write more
		if _, err := tr.Write(p); err != nil {
			v.sent = v.sent[:had]
		}
	case 8, 9:
		tr.PauseReading()
	case 10, 11, 12, 13:
		tr.ResumeReading()
	case 14, 15:
		tr.SetProtocol(face(v.Checker, v.random.IntN(3)))
	case 16, 17:
		high := v.random.IntN(100_000)
		tr.SetWriteBufferLimits(high, high/3)
	case 18:
		if v.random.IntN(20) == 0 {
			v.sudden = true
			tr.Close()
		}
	case 19:
		if v.random.IntN(20) == 0 {
			v.sudden = true
			tr.Abort()
		}
	}
}
