// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/sim"
	"baton/task"
)

// Over TLS, too, each direction ends by itself.
func TestTLSHalfClose(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		c.OnEOF = func() bool { return true }
		s, tr := securePair(ctx, t, true, of(c))
		_, err := tr.Write([]byte("question"))
		must(t, err)
		tr.CloseWrite()
		tr.CloseWrite()
		_, err = tr.Write([]byte("x"))
		wantErr(t, "Write after CloseWrite", err, syscall.EPIPE)
		readAll(ctx, t, s, []byte("question"))
		write(ctx, t, s, []byte("answer"))
		must(t, s.CloseWrite())
		must(t, c.Until(ctx, func() bool { return slices.Contains(c.Calls, "EOFReceived") }))
		turns(ctx, t, 5)
		if string(c.Data) != "answer" || tr.IsClosing() {
			t.Errorf("%q, closing: %v", c.Data, tr.IsClosing())
		}
		tr.Close()
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, nil)
		must(t, s.Close())
	})
}

// If Close is called while much is still to be sent, the peer receives all of it.
func TestTLSCloseSendsWhatWasWritten(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := securePair(ctx, t, true, of(c))
		sent := crowd(ctx, t, tr)
		tr.Close()
		readAll(ctx, t, s, sent)
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, nil)
		must(t, s.Close())
	})
}

func TestTLSAbort(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := securePair(ctx, t, true, of(c))
		crowd(ctx, t, tr)
		tr.Close()
		tr.Abort()
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, nil)
		_, err := s.ReadAll(ctx, 64<<20)
		wantErr(t, "the peer reads", err, syscall.ECONNRESET)
		s.Close()
	})
}

// In strict mode, the end of the connection without an alert is an error.
func TestTLSStrict(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(map[bool]string{false: "default", true: "strict"}[strict], func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				server, client := certificate(t)
				near, far := streams(ctx, t)
				var config protocol.Config
				config.Dialer.Stream.TLS.Strict = strict
				conn := &raw{far.NetConn(ctx)}
				join := goTask(ctx, func(ctx context.Context) error {
					_, err := await.Blocking(ctx, func(context.Context) (int, error) {
						s := tls.Server(conn, server)
						if err := s.Handshake(); err != nil {
							return 0, err
						}
						return s.Write([]byte("data"))
					})
					return err
				})
				must(t, near.StartTLS(ctx, client))
				must(t, join(ctx))
				d, err := near.Detach(ctx)
				must(t, err)
				c := &protocoltest.Checker{T: t}
				_, err = config.Attach(ctx, d, of(c))
				must(t, err)
				must(t, c.UntilData(ctx, 4))
				must(t, far.Close()) // without an alert
				must(t, c.UntilLost(ctx))
				var want error
				if strict {
					want = io.ErrUnexpectedEOF
				}
				wantErr(t, "ConnectionLost", c.Err, want)
				if e, ok := c.Err.(*net.OpError); strict && (!ok || e.Op != "read") {
					t.Errorf("ConnectionLost with %v", c.Err)
				}
			})
		})
	}
}

// A raw connection stays open when crypto/tls closes it.
type raw struct{ net.Conn }

func (*raw) Close() error { return nil }

// Over TLS, reading can be paused, and the transport can be closed meanwhile.
func TestTLSPause(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := securePair(ctx, t, true, of(c))
		write(ctx, t, s, []byte("before"))
		must(t, c.UntilData(ctx, 6))
		tr.PauseReading()
		write(ctx, t, s, []byte("meanwhile"))
		turns(ctx, t, 20)
		if len(c.Data) != 6 {
			t.Errorf("%q while reading is paused", c.Data)
		}
		tr.ResumeReading()
		must(t, c.UntilData(ctx, 15))
		tr.PauseReading()
		tr.Close()
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, nil)
		readAll(ctx, t, s, nil)
		must(t, s.Close())
	})
}

// Over TLS, the limits of flow control count the bytes of records.
func TestTLSFlowControl(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := securePair(ctx, t, true, of(c))
		var sent []byte
		inCallback(ctx, t, func() {
			for i := 0; !tr.WritePaused(); i++ {
				p := bytes.Repeat([]byte{byte(i)}, 50_000)
				sent = append(sent, p...)
				tr.Write(p)
			}
		})
		join := goTask(ctx, func(ctx context.Context) error {
			readAll(ctx, t, s, sent)
			return s.Close()
		})
		must(t, tr.Drain(ctx))
		tr.Close()
		must(t, c.UntilLost(ctx))
		must(t, join(ctx))
		want := []string{"ConnectionMade", "PauseWriting", "ResumeWriting", "ConnectionLost"}
		if !slices.Equal(c.Calls, want) || c.Err != nil {
			t.Errorf("calls %v, %v", c.Calls, c.Err)
		}
	})
}

// TLS can run inside TLS. The end of the inner TLS is the end of the stream.
func TestTLSInsideTLS(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := securePair(ctx, t, true, of(c))
		server, client := certificate(t)
		for round := range 2 {
			write(ctx, t, s, []byte{'0' + byte(round)})
			must(t, c.UntilData(ctx, 1+round))
			join := goTask(ctx, func(ctx context.Context) error { return s.AcceptTLS(ctx, server) })
			must(t, tr.StartTLS(ctx, client))
			must(t, join(ctx))
		}
		want := append([]byte("01"), pattern(100_000, 1)...)
		writing := goTask(ctx, func(ctx context.Context) error {
			_, err := s.Write(ctx, want[2:])
			return err
		})
		_, err := tr.Write(want)
		must(t, err)
		got := make([]byte, len(want))
		_, err = s.ReadFull(ctx, got)
		must(t, err)
		must(t, writing(ctx))
		must(t, c.UntilData(ctx, len(want)))
		if !bytes.Equal(got, want) || !bytes.Equal(c.Data, want) {
			t.Errorf("a wrong byte at %d, %d", differ(got, want), differ(c.Data, want))
		}
		tr.Close()
		readAll(ctx, t, s, nil)
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, nil)
		must(t, s.Close())
	})
}

// A handshake that fails is reported, and does not disturb other connections.
func TestServerReportsHandshakes(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		server, client := certificate(t)
		var reported []error
		h := echoServer(ctx, t, protocol.Config{
			TLS: server, OnError: func(err error) { reported = append(reported, err) },
		}, of)
		c := &protocoltest.Checker{T: t}
		tr, err := protocol.Config{TLS: client}.Connect(ctx, "tcp", h.Addr().String(), func() protocol.Base { return of(c) })
		must(t, err)

		silent, gone, plain := h.dial(ctx, t), h.dial(ctx, t), h.dial(ctx, t)
		must(t, gone.Abort())
		write(ctx, t, plain, []byte("GET / HTTP/1.0\r\n\r\n"))
		_, _ = plain.ReadAll(ctx, 1000)
		must(t, plain.Close())
		until(ctx, t, func() bool { return len(reported) > 0 })
		if _, ok := errors.AsType[tls.RecordHeaderError](reported[0]); !ok {
			t.Errorf("reported %v", reported)
		}
		_, err = protocol.Config{TLS: &tls.Config{ServerName: "localhost", RootCAs: x509.NewCertPool()}}.Connect(
			ctx, "tcp", h.Addr().String(), func() protocol.Base {
				t.Error("a protocol was made for a handshake that failed")
				return nil
			})
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
			t.Errorf("Connect = %v", err)
		}
		until(ctx, t, func() bool { return len(reported) > 1 })

		_, err = tr.Write([]byte("fine"))
		must(t, err)
		must(t, c.UntilData(ctx, 4))
		if len(h.made) != 1 || len(reported) != 2 {
			t.Errorf("%d protocols, reported %v", len(h.made), reported)
		}
		tr.Close()
		must(t, c.UntilLost(ctx))
		h.Close()
		must(t, silent.Close())
		must(t, h.Wait(ctx))
	})
}

// If the peer closes before or during the handshake, Connect fails at once.
func TestPeerClosesDuringTheHandshake(t *testing.T) {
	for _, said := range []string{"", "\x16\x03\x01"} {
		t.Run(map[bool]string{true: "before", false: "during"}[said == ""], func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) {
				_, client := certificate(t)
				ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
				must(t, err)
				defer ln.Close()
				join := goTask(ctx, func(ctx context.Context) error {
					s, err := ln.Accept(ctx)
					must(t, err)
					write(ctx, t, s, []byte(said))
					must(t, s.CloseWrite())
					_, err = s.ReadAll(ctx, 10_000)
					must(t, s.Close())
					return err
				})
				_, err = protocol.Config{TLS: client}.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base { return nil })
				wantErr(t, "Connect", err, io.ErrUnexpectedEOF)
				if e, ok := err.(*net.OpError); !ok || e.Op != "handshake" {
					t.Errorf("Connect = %v", err)
				}
				must(t, join(ctx))
			})
		})
	}
}

// Both sides have a timeout for the handshake. A cancel of Connect closes the socket.
func TestHandshakeTimeout(t *testing.T) {
	for _, test := range []struct{ timeout, want time.Duration }{{0, time.Minute}, {time.Second, time.Second}} {
		t.Run(test.want.String(), func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				server, client := certificate(t)
				config := protocol.Config{TLS: server}
				config.Listen.Stream.TLS.HandshakeTimeout = test.timeout
				config.Dialer.Stream.TLS.HandshakeTimeout = test.timeout
				h := echoServer(ctx, t, config, sorts[0].of)
				s := h.dial(ctx, t)
				began := task.Now(ctx)
				_, _ = s.ReadAll(ctx, 1000)
				if took := task.Now(ctx).Sub(began); took != test.want {
					t.Errorf("the server gave up after %v, want %v", took, test.want)
				}
				must(t, s.Close())
				h.Close()
				must(t, h.Wait(ctx))

				ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
				must(t, err)
				began = task.Now(ctx)
				config.TLS = client
				_, err = config.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base { return nil })
				wantErr(t, "Connect", err, os.ErrDeadlineExceeded)
				if took := task.Now(ctx).Sub(began); took != test.want {
					t.Errorf("Connect has given up after %v, want %v", took, test.want)
				}
				must(t, ln.Close())

				config.TLS = nil
				c := &protocoltest.Checker{T: t}
				s, tr := pair(ctx, t, config, c.Plain())
				began = task.Now(ctx)
				wantErr(t, "StartTLS", tr.StartTLS(ctx, client), os.ErrDeadlineExceeded)
				if took := task.Now(ctx).Sub(began); took != test.want {
					t.Errorf("StartTLS gave up after %v, want %v", took, test.want)
				}
				must(t, c.UntilLost(ctx))
				must(t, s.Close())
			})
		})
	}
}

func TestCancelledConnectClosesTheSocket(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		_, client := certificate(t)
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		must(t, err)
		defer ln.Close()
		connect := task.Start(ctx, func(ctx context.Context) (*protocol.Transport, error) {
			return protocol.Config{TLS: client}.Connect(ctx, "tcp", ln.Addr().String(), func() protocol.Base {
				t.Error("a protocol was made")
				return nil
			})
		})
		s, err := ln.Accept(ctx)
		must(t, err)
		_, err = s.Peek(ctx, 1) // the handshake has begun
		must(t, err)
		connect.Cancel(nil)
		tr, err := connect.Await(ctx)
		if _, ok := err.(*task.Canceled); !ok || tr != nil {
			t.Errorf("Connect = %v, %v", tr, err)
		}
		_, _ = s.ReadAll(ctx, 10_000) // ends
		must(t, s.Close())
	})
}

// If StartTLS fails, the transport ends with its error.
func TestStartTLSThatFails(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		server, _ := certificate(t)
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		join := goTask(ctx, func(ctx context.Context) error { return s.AcceptTLS(ctx, server) })
		err := tr.StartTLS(ctx, &tls.Config{ServerName: "localhost", RootCAs: x509.NewCertPool()})
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
			t.Errorf("StartTLS = %v", err)
		}
		if join(ctx) == nil {
			t.Error("AcceptTLS has succeeded")
		}
		must(t, c.UntilLost(ctx))
		if c.Err != err || !tr.IsClosing() {
			t.Errorf("ConnectionLost with %v", c.Err)
		}
	})
}

// Close and Abort end a handshake.
func TestEndDuringTheHandshake(t *testing.T) {
	for name, end := range map[string]func(*protocol.Transport){
		"Close": (*protocol.Transport).Close, "Abort": (*protocol.Transport).Abort,
	} {
		t.Run(name, func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				_, client := certificate(t)
				c := &protocoltest.Checker{T: t}
				s, tr := pair(ctx, t, protocol.Config{}, of(c))
				join := goTask(ctx, func(ctx context.Context) error { return tr.StartTLS(ctx, client) })
				_, err := s.Peek(ctx, 1)
				must(t, err)
				end(tr)
				if join(ctx) == nil {
					t.Error("StartTLS has succeeded")
				}
				must(t, c.UntilLost(ctx))
				wantErr(t, "ConnectionLost", c.Err, nil)
				_, _ = s.ReadAll(ctx, 10_000) // ends
				s.Close()
			})
		})
	}
}
