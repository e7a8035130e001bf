// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

// Two tasks at each endpoint move megabytes in both directions at once.
func TestTLSBothDirections(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.encrypted(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		const size = 3 << 20
		text := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
		want(t, "Scope", task.Scope(ctx, func(ctx context.Context) error {
			for _, s := range []*netio.Stream{near, far} {
				task.Go(ctx, func(ctx context.Context) error {
					for rest := text; len(rest) > 0; {
						n, err := s.Write(ctx, rest[:min(len(rest), 100_001)])
						if rest = rest[n:]; err != nil {
							return err
						}
					}
					return s.CloseWrite()
				})
				task.Go(ctx, func(ctx context.Context) error {
					if got, err := s.ReadAll(ctx, size); !bytes.Equal(got, text) || err != nil {
						t.Errorf("ReadAll = %d bytes, %v", len(got), err)
					}
					return nil
				})
			}
			return nil
		}), nil)
	})
}

// A Write that times out returns how much the peer will receive. The stream stays usable.
func TestTimeoutOfWriteOverTLS(t *testing.T) {
	for _, c := range []netio.StreamConfig{{WriteTimeout: time.Second}, {IdleTimeout: time.Second}} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			near, far := world{"virtual", "tcp"}.encrypted(ctx, t, c)
			defer near.Close()
			defer far.Close()
			n, err := near.Write(ctx, bulk[:])
			want(t, "Write", err, os.ErrDeadlineExceeded)
			if n == 0 || n == 32<<20 {
				t.Errorf("Write = %d, want some of the bytes", n)
			}
			rest := task.Start(ctx, func(ctx context.Context) (int, error) { return near.Write(ctx, []byte("rest")) })
			got := make([]byte, n+4)
			must(far.ReadFull(ctx, got))(t)
			if string(got[n:]) != "rest" {
				t.Errorf("after %d bytes the peer received %q, want \"rest\"", n, got[n:])
			}
			must(rest.Await(ctx))(t)
		})
	}
}

// If the peer reads, Close sends the data that a cancelled Write had encrypted, and the alert. If
// the peer does not read, the connection is closed after the timeout.
func TestCloseOverTLS(t *testing.T) {
	for _, reads := range []bool{true, false} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			near, far := world{"virtual", "tcp"}.encrypted(ctx, t, netio.StreamConfig{TLS: netio.TLSOptions{Strict: true}})
			defer far.Close()
			writer := fill(ctx, near)
			reader := blocked(ctx, func(ctx context.Context) (int, error) { return near.Read(ctx, make([]byte, 1)) })
			writer.Cancel(nil)
			n, err := writer.Await(ctx)
			want(t, "Write", err, context.Canceled)
			want(t, "Close", near.Close(), nil)
			_, err = reader.Await(ctx)
			want(t, "Read", err, net.ErrClosed)
			want(t, "Close again", near.Close(), net.ErrClosed)
			if !reads {
				want(t, "sleep", sleep(ctx, 30*time.Second+1), nil)
			}
			got, err := far.ReadAll(ctx, 32<<20)
			if reads && (len(got) != n || err != nil) {
				t.Errorf("the peer received %d bytes, want %d, error %v", len(got), n, err)
			}
			if !reads && err == nil {
				t.Errorf("the peer received %d bytes and the end after the timeout", len(got))
			}
		})
	}
}

// A connection that ends without the alert is io.EOF, or an error if the stream is strict.
func TestEndWithoutAlert(t *testing.T) {
	for _, c := range []struct {
		strict bool
		want   error
	}{{false, io.EOF}, {true, io.ErrUnexpectedEOF}} {
		everywhere(t, func(ctx context.Context, t *testing.T, w world) {
			a := newAuthority(t)
			config := netio.StreamConfig{TLS: netio.TLSOptions{Strict: c.strict}}
			front, back := w.pair(ctx, t, config)
			near, far := w.pair(ctx, t, config)
			defer far.Close()
			defer front.Close()
			for _, relay := range [][2]*netio.Stream{{back, near}, {near, back}} {
				task.Go(ctx, func(ctx context.Context) error {
					netio.Copy(ctx, relay[1], relay[0])
					return nil
				})
			}
			nearErr, farErr := handshake(ctx, front, far, a.client(), a.server(t))
			want(t, "handshake", errors.Join(nearErr, farErr), nil)
			write(ctx, t, front, "the last words")
			must(far.ReadFull(ctx, make([]byte, 14)))(t)
			want(t, "Close", errors.Join(near.Close(), back.Close()), nil)
			for range 2 {
				_, err := far.Read(ctx, make([]byte, 1))
				want(t, "Read", err, c.want)
				if (err == io.EOF) == c.strict {
					t.Errorf("Read returned %v, want %v", err, c.want)
				}
			}
		})
	}
}

// A record that was changed in transit ends reading. The alert is sent although this endpoint does
// not write.
func TestChangedRecordSendsAlert(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		a := newAuthority(t)
		front, back := w.pair(ctx, t, netio.StreamConfig{})
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		changed := false // whether the relay changes what front sends
		for _, relay := range [][2]*netio.Stream{{back, near}, {near, back}} {
			task.Go(ctx, func(ctx context.Context) error {
				buf := make([]byte, 10_000)
				for {
					n, err := relay[0].Read(ctx, buf)
					if err != nil {
						return relay[1].CloseWrite()
					}
					if changed && relay[0] == back {
						buf[n-1]++
					}
					relay[1].Write(ctx, buf[:n]) // fails once the other end is closed
				}
			})
		}
		nearErr, farErr := handshake(ctx, front, far, a.client(), a.server(t))
		want(t, "handshake", errors.Join(nearErr, farErr), nil)
		write(ctx, t, front, "good")
		must(far.ReadFull(ctx, make([]byte, 4)))(t)
		changed = true
		write(ctx, t, front, "bad")
		for _, c := range []struct {
			s    *netio.Stream
			says string
		}{{far, "local error: tls: bad record MAC"}, {front, "remote error: tls: bad record MAC"}} {
			for range 2 {
				_, err := c.s.Read(ctx, make([]byte, 4))
				op, ok := err.(*net.OpError)
				if !ok || op.Op != "read" || !strings.Contains(err.Error(), c.says) {
					t.Errorf("Read returned %v, want %q", err, c.says)
				}
			}
		}
		want(t, "Close", errors.Join(front.Close(), far.Close()), nil)
	})
}

// A stream uses the protocols, client certificates, tickets and callbacks of a tls.Config. The
// callbacks may wait.
func TestTLSConfigIsUsed(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		a := newAuthority(t)
		client, server := a.client(), a.server(t)
		client.NextProtos, server.NextProtos = []string{"x", "baton"}, []string{"baton"}
		client.Certificates = []tls.Certificate{a.certificate(t, "customer")}
		client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		server.ClientAuth, server.ClientCAs = tls.RequireAndVerifyClientCert, a.pool
		cert := &server.Certificates[0]
		server.Certificates = nil
		asked := ""
		server.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			asked = hello.ServerName
			return cert, await.Sleep(hello.Context(), time.Millisecond)
		}
		for i := range 2 {
			near, far := w.pair(ctx, t, netio.StreamConfig{})
			nearErr, farErr := handshake(ctx, near, far, client, server)
			want(t, "handshake", errors.Join(nearErr, farErr), nil)
			write(ctx, t, far, "a ticket came before this")
			must(near.ReadFull(ctx, make([]byte, 25)))(t)
			mine, its := near.ConnectionState(), far.ConnectionState()
			if !mine.HandshakeComplete || mine.NegotiatedProtocol != "baton" || its.ServerName != "server" ||
				its.PeerCertificates[0].Subject.CommonName != "customer" || asked != "server" {
				t.Errorf("the connection states are %+v and %+v", mine, its)
			}
			if resumed := i > 0; mine.DidResume != resumed || its.DidResume != resumed {
				t.Errorf("handshake %d resumed: %v and %v", i, mine.DidResume, its.DidResume)
			}
			want(t, "Close", errors.Join(near.Close(), far.Close()), nil)
		}
	})
}

// A cancel reaches a callback that waits.
func TestTLSCallbackCancel(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.pair(ctx, t, netio.StreamConfig{})
		a := newAuthority(t)
		var begun task.WaitQueue
		server := &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			begun.WakeAll()
			return nil, sleep(hello.Context(), time.Hour)
		}}
		shaking := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, far.AcceptTLS(ctx, server) })
		client := task.Start(ctx, func(ctx context.Context) (int, error) { return 0, near.StartTLS(ctx, a.client()) })
		want(t, "Wait", begun.Wait(ctx, task.Text("the callback")), nil)
		shaking.Cancel(nil)
		_, err := shaking.Await(ctx)
		want(t, "AcceptTLS", err, context.Canceled)
		if _, err := client.Await(ctx); err == nil {
			t.Error("StartTLS succeeded without a certificate")
		}
	})
}

func TestRenegotiationRefused(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		near, far := world{"virtual", "tcp"}.pair(ctx, t, netio.StreamConfig{})
		defer near.Close()
		defer far.Close()
		defer func() {
			if v, _ := recover().(string); !strings.Contains(v, "RenegotiateNever") {
				t.Errorf("StartTLS panicked with %q", v)
			}
		}()
		near.StartTLS(ctx, &tls.Config{Renegotiation: tls.RenegotiateOnceAsClient})
	})
}

// TLS runs inside TLS.
func TestTLSInsideTLS(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T, w world) {
		near, far := w.encrypted(ctx, t, netio.StreamConfig{TLS: netio.TLSOptions{Strict: true}})
		defer far.Close()
		a := newAuthority(t)
		client, server := a.client(), a.server(t)
		client.NextProtos, server.NextProtos = []string{"inner"}, []string{"inner"}
		nearErr, farErr := handshake(ctx, near, far, client, server)
		want(t, "handshake", errors.Join(nearErr, farErr), nil)
		if p := far.ConnectionState().NegotiatedProtocol; p != "inner" {
			t.Errorf("the protocol is %q, want \"inner\"", p)
		}
		const size = 300_000
		writing := task.Start(ctx, func(ctx context.Context) (int, error) {
			n, err := near.Write(ctx, make([]byte, size))
			return n, errors.Join(err, near.Close())
		})
		if got, err := far.ReadAll(ctx, size); len(got) != size || err != nil {
			t.Errorf("ReadAll = %d bytes, %v", len(got), err)
		}
		must(writing.Await(ctx))(t)
	})
}

// A connection with TLS needs no goroutine.
func TestTLSNeedsNoGoroutines(t *testing.T) {
	if runtime.GOOS != "linux" {
		return
	}
	world{"epoll", "tcp"}.run(t, func(ctx context.Context, t *testing.T) {
		before := 0
		for i := range 30 {
			near, far := world{"epoll", "tcp"}.encrypted(ctx, t, netio.StreamConfig{})
			defer near.Close()
			defer far.Close()
			if i == 3 { // by now the loop has its workers
				before = runtime.NumGoroutine()
			}
		}
		if after := runtime.NumGoroutine(); after > before+5 {
			t.Errorf("%d goroutines before, %d with TLS connections", before, after)
		}
	})
}
