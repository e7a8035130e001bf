// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/await"
	"baton/examples/internal/selfsigned"
	"baton/netio"
	"baton/sim"
	"baton/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// play runs the source against a server, and returns the output of the source.
func play(ctx context.Context, t *testing.T, server *netio.Server, handle netio.Handler) (string, error) {
	t.Helper()
	ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:1111")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	task.Go(ctx, func(ctx context.Context) error { return server.ServeListener(ctx, ln, handle) })
	var out strings.Builder
	err = run(ctx, &printer{out: &out})
	if err := await.Sleep(ctx, time.Second); err != nil { // until the server has read everything
		t.Fatal(err)
	}
	return out.String(), err
}

// read reads n bytes from a stream.
func read(ctx context.Context, s *netio.Stream, n int) error {
	_, err := s.ReadFull(ctx, make([]byte, n))
	return err
}

const connected = "stream1: connected 127.0.0.1:49152->127.0.0.1:1111\n"

// The source overwrites repeated lines, reports a pause, and ends when the server closes the
// connection.
func TestSource(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		got, err := play(ctx, t, &netio.Server{}, func(ctx context.Context, s *netio.Stream) error {
			if err := await.Sleep(ctx, time.Second); err != nil {
				return err
			}
			return read(ctx, s, 1<<20)
		})
		begin := connected +
			"stream1: writing 16384 bytes; total 16384\n" +
			"stream1: writing 16384 bytes; total 32768\n" +
			"stream1: [...]\n" +
			"stream1: writing 16384 bytes; total 49152\r"
		if !strings.HasPrefix(got, begin) || err != nil {
			t.Errorf("the source prints %q, %v, want it to begin with %q", got, err, begin)
		}
		if !strings.Contains(got, "\r\nstream1: paused for 1s\nstream1: writing ") {
			t.Errorf("the source prints %q, want a pause of a second", got)
		}
		if !strings.Contains(got, "stream1: caught write tcp 127.0.0.1:49152->127.0.0.1:1111: ") {
			t.Errorf("the source prints %q, want a report that the server has closed the connection", got)
		}
	})
}

// With --stop the source sends only the word stop.
func TestStop(t *testing.T) {
	*stop = true
	defer func() { *stop = false }()
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var data []byte
		got, err := play(ctx, t, &netio.Server{}, func(ctx context.Context, s *netio.Stream) (err error) {
			data, err = s.ReadAll(ctx, 100)
			return err
		})
		if got != connected || err != nil {
			t.Errorf("the source prints %q, %v, want %q", got, err, connected)
		}
		if string(data) != "stop" {
			t.Errorf("the server receives %q", data)
		}
	})
}

// With --tls the source trusts the certificate in the file of --cafile. Without the file it
// refuses the server.
func TestTLS(t *testing.T) {
	*stop, *useTLS = true, true
	defer func() { *stop, *useTLS, *cafile = false, false, "" }()
	for _, trusts := range []bool{true, false} {
		sim.Test(t, func(ctx context.Context, t *testing.T) {
			file, err := os.Create(filepath.Join(t.TempDir(), "cert.pem"))
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			server := &netio.Server{OnError: func(*netio.Stream, error) {}}
			if server.TLS, err = selfsigned.Server(file, *host); err != nil {
				t.Fatal(err)
			}
			if *cafile = ""; trusts {
				*cafile = file.Name()
			}
			got, err := play(ctx, t, server, func(ctx context.Context, s *netio.Stream) error { return read(ctx, s, 4) })
			if _, refused := errors.AsType[*tls.CertificateVerificationError](err); refused == trusts {
				t.Errorf("the source prints %q, %v; it has the certificate: %v", got, err, trusts)
			}
		})
	}
}
