// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"runtime"
	"sync/atomic"
	"testing"

	"baton/loop"
	"baton/loop/poll"
	"baton/loop/poll/virtual"
	"baton/netio"
	"baton/task"
)

// A tally is a poller that counts the Writes submitted to it, and the calls of Wake.
type tally struct {
	poll.Poller
	writes int
	wakes  atomic.Int32
}

func (w *tally) Wake() {
	w.wakes.Add(1)
	w.Poller.Wake()
}

func (w *tally) Submit(op *poll.Op) bool {
	if op.Kind == poll.Write {
		w.writes++
	}
	return w.Poller.Submit(op)
}

// The records of 64 KiB are written together. With an idle timeout, each record is written alone,
// because the timeout counts bytes only when an operation completes.
func TestLongWriteOverTLSIsOneOperation(t *testing.T) {
	for _, c := range []struct {
		idle   bool
		writes int
	}{{false, 1}, {true, 4}} {
		w := &tally{Poller: virtual.New(virtual.Config{})}
		l := must(loop.New(loop.Config{Poller: w}))(t)
		defer l.Close()
		want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
			near, far := world{"virtual", "tcp"}.encrypted(ctx, t, netio.StreamConfig{})
			defer near.Close()
			defer far.Close()
			if c.idle {
				near.SetIdleTimeout(1 << 40)
			}
			message, got := bytes.Repeat([]byte("word"), 16<<10), make([]byte, 64<<10)
			before := w.writes
			task.Go(ctx, func(ctx context.Context) error {
				_, err := near.Write(ctx, message)
				return err
			})
			_, err := far.ReadFull(ctx, got)
			if w.writes-before != c.writes || !bytes.Equal(got, message) {
				t.Errorf("with an idle timeout %v: %d operations, want %d", c.idle, w.writes-before, c.writes)
			}
			return err
		}), nil)
	}
}

// A handshake runs outside the loop only to load the system's roots, and only if it may verify a
// certificate with them.
func TestHandshakeLoadsRootsOnlyIfNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		change func(client, server *tls.Config)
		loads  bool
	}{
		"neither":             {func(_, _ *tls.Config) {}, false},
		"any client":          {func(_, s *tls.Config) { s.ClientAuth = tls.RequestClientCert }, false},
		"verified client":     {func(_, s *tls.Config) { s.ClientAuth = tls.VerifyClientCertIfGiven }, true},
		"config for a client": {func(_, s *tls.Config) { s.GetConfigForClient = anyClient }, true},
		"unverified server":   {func(c, _ *tls.Config) { c.RootCAs, c.InsecureSkipVerify = nil, true }, false},
		"verified server":     {func(c, _ *tls.Config) { c.RootCAs = nil }, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &tally{Poller: virtual.New(virtual.Config{})}
			l := must(loop.New(loop.Config{Poller: w}))(t)
			defer l.Close()
			want(t, "Run", task.Runner{Loop: l}.Run(context.Background(), func(ctx context.Context) error {
				near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
				defer near.Close()
				defer far.Close()
				a := newAuthority(t)
				client, server := a.client(), a.server(t)
				c.change(client, server)
				before := w.wakes.Load()
				_, _ = shake(ctx, near, far, client, server) // the system does not trust the test's authority
				if loads := w.wakes.Load() > before; loads != c.loads {
					t.Errorf("the handshake ran outside the loop: %v, want %v", loads, c.loads)
				}
				return nil
			}), nil)
		})
	}
}

// anyClient uses the same config for every client.
func anyClient(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }

// One Read returns several long records if they have arrived and fit.
func TestReadOverTLSBringsSeveralRecords(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller != "epoll" {
			return // the buffers of the other pollers hold less than two records
		}
		near, far := w.encrypted(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		const size, enough = 48 << 10, 1000
		message, buf := bytes.Repeat([]byte("word"), size/4), make([]byte, size)
		for range enough {
			_, err := near.Write(ctx, message)
			want(t, "Write", err, nil)
			n, err := far.Read(ctx, buf)
			want(t, "Read", err, nil)
			_, err = far.ReadFull(ctx, buf[n:])
			want(t, "ReadFull", err, nil)
			if !bytes.Equal(buf, message) {
				t.Fatal("received other bytes than were sent")
			}
			if n == size {
				return
			}
		}
		t.Errorf("none of %d Reads returned more than one record", enough)
	})
}

// Copying over TLS reuses its buffers, although an idle stream keeps none.
func TestCopyOverTLSReusesBuffers(t *testing.T) {
	if raceEnabled {
		return // the race detector makes pools drop their contents
	}
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		if w.poller == "portable" {
			return // package net allocates
		}
		near, far := w.encrypted(ctx, t, netio.StreamConfig{})
		defer near.Close()
		task.Go(ctx, func(ctx context.Context) error {
			defer far.Close()
			return echo(ctx, far)
		})
		const rounds, most = 200, 8 << 10
		message, got := make([]byte, 64<<10), make([]byte, 64<<10)
		exchange := func() {
			sent := task.Start(ctx, func(ctx context.Context) (int, error) { return near.Write(ctx, message) })
			_, err := near.ReadFull(ctx, got)
			want(t, "ReadFull", err, nil)
			_, err = sent.Await(ctx)
			want(t, "Write", err, nil)
		}
		for range 10 {
			exchange() // allocates the buffers
		}
		before := allocated()
		for range rounds {
			exchange()
		}
		if n := (allocated() - before) / rounds; n > most {
			t.Errorf("%d bytes allocated per message, want at most %d", n, most)
		}
	})
}

// allocated returns how many bytes this process has allocated.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}
