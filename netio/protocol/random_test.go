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

// Two transports make many random calls each, and their checkers check the order of the calls. The
// bytes that an end received are the beginning of the bytes that the other end sent, and all of
// them after an orderly end. To run one again, use -sim.seed with the number of the subtest.
func TestRandomCallsKeepTheOrder(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() || raceEnabled {
		seeds = 50
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			sim.Config{Seed: seed + 1}.Test(t, func(ctx context.Context, t *testing.T) {
				randomCalls(ctx, t, rand.New(rand.NewPCG(seed, 7)))
			})
		})
	}
}

// A randomEnd is one end of the connection.
type randomEnd struct {
	*protocoltest.Checker
	t        *testing.T
	random   *rand.Rand
	sent     []byte
	received []byte // by earlier checkers
	aborted  bool   // ended by Abort or an error

	detaching bool
	ending    bool
	detached  *netio.Detached
}

func randomCalls(ctx context.Context, t *testing.T, random *rand.Rand) {
	secure := random.IntN(3) == 0
	near, far := streams(ctx, t)
	if secure {
		server, client := certificate(t)
		join := goTask(ctx, func(ctx context.Context) error { return far.AcceptTLS(ctx, server) })
		must(t, near.StartTLS(ctx, client))
		must(t, join(ctx))
	}
	ends := [2]*randomEnd{}
	canceled := false
	err := task.Scope(ctx, func(ctx context.Context) error {
		for i, s := range []*netio.Stream{near, far} {
			v := &randomEnd{t: t, random: random}
			ends[i] = v
			d, err := s.Detach(ctx)
			must(t, err)
			v.detached = d
			task.Go(ctx, func(ctx context.Context) error { return v.callRandomly(ctx, 30+random.IntN(100)) })
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
			t.Errorf("end %d received a wrong byte at %d: %d of %d bytes; secure %v, canceled %v, aborted %v %v", i, differ(peer.sent, got), len(got), len(peer.sent), secure, canceled, v.aborted, peer.aborted)
		}
		if !v.Lost() {
			t.Errorf("end %d has no ConnectionLost", i)
		}
		if !canceled && !v.aborted && !peer.aborted && (v.Err != nil || len(got) < len(peer.sent)) {
			t.Errorf("end %d has received %d bytes of %d, %v", i, len(got), len(peer.sent), v.Err)
		}
	}
}

// attach makes a transport for the connection.
func (v *randomEnd) attach(ctx context.Context) error {
	c := &protocoltest.Checker{T: v.t, Size: 1 + v.random.IntN(3000)}
	c.OnEOF = func() bool { return true } // so that the rest is still sent
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

// callRandomly makes n random calls, and then ends the connection.
func (v *randomEnd) callRandomly(ctx context.Context, n int) error {
	if v.attach(ctx) != nil {
		return nil // the scope was cancelled
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
			timed, release := await.WithTimeout(ctx, time.Second) // the peer may not read
			_ = v.Transport.Drain(timed)
			release()
		default:
			v.act()
		}
	}
	v.end(ctx)
	return nil
}

// detach takes the connection out of the transport. It fails if the peer does not read what is
// still to be sent within a second.
func (v *randomEnd) detach(ctx context.Context) (*netio.Detached, error) {
	timed, release := await.WithTimeout(ctx, time.Second)
	defer release()
	v.detaching = true
	defer func() { v.detaching = false }()
	return v.Transport.Detach(timed)
}

// end ends the connection in order: the end that reads the end of the stream last closes it.
func (v *randomEnd) end(ctx context.Context) {
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
	_ = v.UntilLost(ctx) // fails only if the scope was cancelled
}

// act makes one random call, in a callback or in a task.
func (v *randomEnd) act() {
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
		v.sent = append(v.sent, p...) // first, because PauseWriting may write more
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
			v.aborted = true
			tr.Close()
		}
	case 19:
		if v.random.IntN(20) == 0 {
			v.aborted = true
			tr.Abort()
		}
	}
}
