// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"baton/netio"
	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
	"baton/task"
)

// A connection changes between streams and transports at random moments, while bytes go in both
// directions. No byte is lost or received twice.
func TestDetachAndAttachUnderTraffic(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[secure], func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				seed := rand.Uint64()
				defer func() {
					if t.Failed() {
						t.Logf("seed %d", seed)
					}
				}()
				changeHands(ctx, t, secure, of, rand.New(rand.NewPCG(seed, 0)))
			})
		})
	}
}

func changeHands(ctx context.Context, t *testing.T, secure bool, of sort, random *rand.Rand) {
	there, back := pattern(300_000, 1), pattern(300_000, 2)
	near, far := streams(ctx, t)
	if secure {
		server, client := certificate(t)
		join := goTask(ctx, func(ctx context.Context) error { return far.AcceptTLS(ctx, server) })
		must(t, near.StartTLS(ctx, client))
		must(t, join(ctx))
	}
	peerRead := goTask(ctx, func(ctx context.Context) error {
		got := make([]byte, len(there))
		_, err := far.ReadFull(ctx, got)
		if !bytes.Equal(got, there) {
			t.Errorf("the peer read a wrong byte at %d", differ(got, there))
		}
		return err
	})
	peerWrite := goTask(ctx, func(ctx context.Context) error {
		for rest := back; len(rest) > 0; {
			n, err := far.Write(ctx, rest[:min(len(rest), 1+random.IntN(9000))])
			if err != nil {
				return err
			}
			rest = rest[n:]
			must(t, task.Yield(ctx))
		}
		return nil
	})
	var got []byte
	rest := there
	next := func() []byte {
		n := min(len(rest), random.IntN(20_000))
		p := rest[:n]
		rest = rest[n:]
		return p
	}
	swaps := 0
	for ; len(rest) > 0 || len(got) < len(back); swaps++ {
		// As a stream, it reads a part of the bytes, and perhaps reads ahead.
		_, err := near.Write(ctx, next())
		must(t, err)
		if len(got) < len(back) && random.IntN(2) == 0 {
			buf := make([]byte, 1+random.IntN(3000))
			if random.IntN(2) == 0 {
				_, err = near.Peek(ctx, 1)
				must(t, err)
			}
			n, err := near.Read(ctx, buf)
			must(t, err)
			got = append(got, buf[:n]...)
		}
		d, err := near.Detach(ctx)
		must(t, err)
		c := &protocoltest.Checker{T: t, Size: 1 + random.IntN(5000)}
		tr, err := protocol.Attach(ctx, d, of(c))
		must(t, err)
		for range random.IntN(4) {
			_, err := tr.Write(next())
			must(t, err)
			turns(ctx, t, random.IntN(5))
			switch random.IntN(4) {
			case 0:
				tr.PauseReading()
			case 1:
				tr.ResumeReading()
			case 2:
				tr.SetProtocol(face(c, random.IntN(3)))
			}
		}
		if random.IntN(3) == 0 { // from transport to transport
			d, err := tr.Detach(ctx)
			must(t, err)
			must(t, c.UntilLost(ctx))
			wantErr(t, "ConnectionLost", c.Err, protocol.ErrDetached)
			got = append(got, c.Data...)
			c = &protocoltest.Checker{T: t}
			if random.IntN(2) == 0 {
				c.OnMade = func() { c.Transport.PauseReading() }
			}
			tr, err = protocol.Attach(ctx, d, of(c))
			must(t, err)
			turns(ctx, t, random.IntN(5))
		}
		d, err = tr.Detach(ctx)
		must(t, err)
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, protocol.ErrDetached)
		got = append(got, c.Data...)
		near = d.Stream(netio.StreamConfig{})
	}
	must(t, peerRead(ctx))
	must(t, peerWrite(ctx))
	if !bytes.Equal(got, back) {
		t.Errorf("%d bytes came, of %d; something else at %d, after %d swaps", len(got), len(back), differ(got, back), swaps)
	}
	must(t, near.Close())
	_, err := far.Read(ctx, make([]byte, 1))
	if err != io.EOF {
		t.Errorf("the peer read %v", err)
	}
	must(t, far.Close())
}

// Receive may call Detach and attach the connection to another protocol.
func TestReceiveDetaches(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		var back *netio.Stream
		c.OnReceive = func(ctx context.Context, _ []byte) error {
			d, err := c.Transport.Detach(ctx)
			must(t, err)
			must(t, task.Check(ctx)) // Detach does not end the connection
			back = d.Stream(netio.StreamConfig{})
			write(ctx, t, back, []byte("from the stream"))
			return nil
		}
		s, _ := pair(ctx, t, protocol.Config{}, c.Task())
		write(ctx, t, s, []byte("x"))
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, protocol.ErrDetached)
		_, err := s.ReadFull(ctx, make([]byte, len("from the stream")))
		must(t, err)
		must(t, back.Close())
		must(t, s.Close())
	})
}

// After a cancel of Detach, the transport is unchanged.
func TestDetachThatIsCancelled(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		sent := crowd(ctx, t, tr) // Detach waits for this
		detach := task.Start(ctx, func(ctx context.Context) (*netio.Detached, error) { return tr.Detach(ctx) })
		turns(ctx, t, 5)
		write(ctx, t, s, []byte("meanwhile"))
		turns(ctx, t, 5)
		if len(c.Data) > 0 {
			t.Errorf("%q during Detach", c.Data)
		}
		wantPanic(t, "protocol: Transport.Write of "+tr.String()+" during its StartTLS or Detach; wait until that has returned",
			func() { tr.Write([]byte("x")) })
		wantPanic(t, "protocol: Transport.CloseWrite of "+tr.String()+" during its StartTLS or Detach; wait until that has returned", tr.CloseWrite)
		detach.Cancel(nil)
		if _, err := detach.Await(ctx); err == nil {
			t.Error("Detach has succeeded")
		}
		must(t, c.UntilData(ctx, 9))
		tr.Close()
		readAll(ctx, t, s, sent)
		must(t, c.UntilLost(ctx))
		if string(c.Data) != "meanwhile" || c.Err != nil {
			t.Errorf("%q, %v", c.Data, c.Err)
		}
		must(t, s.Close())
	})
}

// During Detach there is no ResumeWriting, because the protocol must not write.
func TestResumeWritingWaitsForDetach(t *testing.T) {
	eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
		c := &protocoltest.Checker{T: t}
		c.OnResume = func() { c.Transport.Write([]byte("more")) }
		s, tr := pair(ctx, t, protocol.Config{}, of(c))
		sent := crowd(ctx, t, tr)
		tr.SetWriteBufferLimits(-1, 0)
		until(ctx, t, tr.WritePaused)
		join := goTask(ctx, func(ctx context.Context) error {
			d, err := tr.Detach(ctx)
			must(t, err)
			return d.Close()
		})
		readAll(ctx, t, s, sent)
		must(t, join(ctx))
		must(t, c.UntilLost(ctx))
		wantErr(t, "ConnectionLost", c.Err, protocol.ErrDetached)
		must(t, s.Close())
	})
}

// Close and Abort end a Detach that waits. Over TLS, Close still sends its alert.
func TestEndDuringDetach(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[secure], func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				c := &protocoltest.Checker{T: t}
				s, tr := securePair(ctx, t, secure, of(c))
				sent := crowd(ctx, t, tr)
				join := goTask(ctx, func(ctx context.Context) error { _, err := tr.Detach(ctx); return err })
				turns(ctx, t, 5)
				tr.Close()
				if err := join(ctx); err == nil {
					t.Error("Detach has succeeded")
				}
				got, err := s.ReadAll(ctx, 64<<20)
				if !bytes.Equal(got, sent) || err != nil {
					t.Errorf("the peer read %d bytes of %d, %v", len(got), len(sent), err)
				}
				must(t, c.UntilLost(ctx))
				wantErr(t, "ConnectionLost", c.Err, nil)
				s.Close()
			})
		})
	}
}

// Two tasks must not call Detach at the same time.
func TestTwoDetaches(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
		crowd(ctx, t, tr)
		join := goTask(ctx, func(ctx context.Context) error { _, err := tr.Detach(ctx); return err })
		turns(ctx, t, 5)
		wantPanic(t, "protocol: two tasks call Detach or StartTLS of "+tr.String()+" at once; let one task do it", func() { tr.Detach(ctx) })
		tr.Abort()
		if join(ctx) == nil {
			t.Error("Detach has succeeded")
		}
		must(t, c.UntilLost(ctx))
		s.Close()
	})
}

// Detach returns a reset that was read and not yet reported. The kernel would not report it again.
func TestDetachReturnsAReset(t *testing.T) {
	t.Run("transport", func(t *testing.T) {
		eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
			c := &protocoltest.Checker{T: t}
			s, tr := pair(ctx, t, protocol.Config{}, of(c))
			turns(ctx, t, 3)
			tr.PauseReading()
			must(t, s.Abort())
			turns(ctx, t, 200) // some turns poll
			d, err := tr.Detach(ctx)
			if err == nil { // the reset was not read before; then the stream reads it
				s := d.Stream(netio.StreamConfig{})
				_, err := s.Read(ctx, make([]byte, 1))
				wantErr(t, "Read", err, syscall.ECONNRESET)
				must(t, s.Close())
				return
			}
			wantErr(t, "Detach", err, syscall.ECONNRESET)
			tr.ResumeReading()
			must(t, c.UntilLost(ctx))
			wantErr(t, "ConnectionLost", c.Err, syscall.ECONNRESET)
		})
	})
	t.Run("stream", func(t *testing.T) {
		eachWorld(t, func(ctx context.Context, t *testing.T) {
			near, far := streams(ctx, t)
			must(t, far.Abort())
			_, err := near.Read(ctx, make([]byte, 1))
			wantErr(t, "Read", err, syscall.ECONNRESET)
			_, err = near.Detach(ctx)
			wantErr(t, "Detach", err, syscall.ECONNRESET)
			must(t, near.Close())
		})
	})
}

// A Detached can be used only once.
func TestDetachedIsUsedOnce(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		near, far := streams(ctx, t)
		d, err := near.Detach(ctx)
		must(t, err)
		c := &protocoltest.Checker{T: t}
		_, err = protocol.Attach(ctx, d, c.Plain())
		must(t, err)
		for call, fn := range map[string]func(){
			"Detached.Stream": func() { d.Stream(netio.StreamConfig{}) },
			"Detached.Close":  func() { d.Close() },
			"Detached.Take":   func() { d.Take() },
		} {
			wantPanic(t, "netio: "+call+" of a connection that was already taken; take or close a Detached once", fn)
		}
		if d.String() != "a connection that was already taken" {
			t.Error(d)
		}
		must(t, far.Close())
		must(t, c.UntilLost(ctx))
	})
}

// A transport starts TLS in the middle of a conversation in lines, and has read no byte of the
// handshake before.
func TestTLSStartsInTheMiddle(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		server, client := certificate(t)
		served := &protocoltest.Checker{T: t}
		served.OnReceive = func(ctx context.Context, data []byte) error {
			if string(data) == "STARTTLS\r\n" {
				served.Transport.Write([]byte("220 ready\r\n"))
				return served.Transport.AcceptTLS(ctx, server)
			}
			served.Transport.Write(bytes.ToUpper(data))
			return nil
		}
		srv, err := protocol.CreateServer(ctx, "tcp", "127.0.0.1:0", func() protocol.Base { return served.Task() })
		must(t, err)
		c := &protocoltest.Checker{T: t}
		tr, err := protocol.Connect(ctx, "tcp", srv.Addr().String(), func() protocol.Base { return c.Plain() })
		must(t, err)
		for _, line := range []string{"hello\r\n", "STARTTLS\r\n"} {
			had := len(c.Data)
			_, err := tr.Write([]byte(line))
			must(t, err)
			must(t, c.Until(ctx, func() bool { return bytes.HasSuffix(c.Data[had:], []byte("\r\n")) }))
		}
		if tr.ConnectionState().HandshakeComplete {
			t.Error("TLS before StartTLS")
		}
		must(t, tr.StartTLS(ctx, client))
		if !tr.ConnectionState().HandshakeComplete {
			t.Error("no ConnectionState after StartTLS")
		}
		_, err = tr.Write([]byte("secret\r\n"))
		must(t, err)
		must(t, c.Until(ctx, func() bool { return bytes.HasSuffix(c.Data, []byte("SECRET\r\n")) }))
		if want := "HELLO\r\n220 ready\r\nSECRET\r\n"; string(c.Data) != want {
			t.Errorf("received %q, want %q", c.Data, want)
		}
		tr.Close()
		must(t, c.UntilLost(ctx))
		must(t, served.UntilLost(ctx))
		if c.Err != nil || served.Err != nil || !slices.Equal(served.Calls, []string{"ConnectionMade", "EOFReceived", "ConnectionLost"}) {
			t.Errorf("%v; %v, %v", c.Err, served.Err, served.Calls)
		}
		srv.Close()
		must(t, srv.Wait(ctx))
	})
}

// Bytes that were read and that the protocol has not received are the beginning of the handshake.
// Plaintext there makes the handshake fail.
func TestBytesAheadOfTheHandshake(t *testing.T) {
	for _, plaintext := range []string{"", "injected\r\n"} {
		t.Run(map[bool]string{true: "ClientHello", false: "plaintext"}[plaintext == ""], func(t *testing.T) {
			eachSort(t, func(ctx context.Context, t *testing.T, of sort) {
				server, client := certificate(t)
				c := &protocoltest.Checker{T: t}
				s, tr := pair(ctx, t, protocol.Config{}, of(c))
				turns(ctx, t, 3)
				tr.PauseReading()
				_, err := s.Write(ctx, []byte(plaintext))
				must(t, err)
				turns(ctx, t, 5)
				join := goTask(ctx, func(ctx context.Context) error { return s.StartTLS(ctx, client) })
				turns(ctx, t, 20) // the bytes are read before AcceptTLS
				err = tr.AcceptTLS(ctx, server)
				peer := join(ctx)
				if plaintext == "" {
					must(t, err)
					must(t, peer)
					tr.ResumeReading()
					write(ctx, t, s, []byte("secret"))
					must(t, c.UntilData(ctx, 6))
					must(t, s.Close())
					must(t, c.UntilLost(ctx))
					wantErr(t, "ConnectionLost", c.Err, nil)
					return
				}
				if _, ok := errors.AsType[tls.RecordHeaderError](err); !ok || peer == nil {
					t.Errorf("AcceptTLS = %v, StartTLS = %v", err, peer)
				}
				must(t, c.UntilLost(ctx))
				if c.Err != err || len(c.Data) > 0 {
					t.Errorf("%q, ConnectionLost with %v", c.Data, c.Err)
				}
			})
		})
	}
}
