// SPDX-License-Identifier: Apache-2.0

package interop_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// An openssl is a process of the program openssl, which shares no code with crypto/tls.
type openssl struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	out   *bufio.Scanner
	seen  []string
}

func startOpenssl(t *testing.T, args ...string) *openssl {
	t.Helper()
	o := &openssl{t: t, cmd: exec.Command("openssl", args...)}
	var err error
	if o.stdin, err = o.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.cmd.Stderr = o.cmd.Stdout
	o.out = bufio.NewScanner(out)
	if err := o.cmd.Start(); err != nil {
		t.Fatalf("this test needs openssl, apt-get install openssl: %v", err)
	}
	t.Cleanup(func() {
		o.cmd.Process.Kill()
		o.cmd.Wait()
	})
	return o
}

// say writes a line to the process.
func (o *openssl) say(line string) {
	if _, err := io.WriteString(o.stdin, line+"\n"); err != nil {
		o.t.Errorf("writing to openssl: %v", err)
	}
}

// hear reads lines of the process until one contains text, and returns that line.
func (o *openssl) hear(text string) string {
	for o.out.Scan() {
		o.seen = append(o.seen, o.out.Text())
		if strings.Contains(o.out.Text(), text) {
			return o.out.Text()
		}
	}
	o.t.Errorf("openssl did not print %q but:\n%s", text, strings.Join(o.seen, "\n"))
	return ""
}

// versions are the versions of TLS that both sides support.
var versions = []struct {
	name string
	flag string
	id   uint16
}{{"TLS 1.2", "-tls1_2", tls.VersionTLS12}, {"TLS 1.3", "-tls1_3", tls.VersionTLS13}}

// on runs fn, which blocks, outside the loop.
func on(ctx context.Context, fn func()) error {
	_, err := await.Blocking(ctx, func(context.Context) (int, error) {
		fn()
		return 0, nil
	})
	return err
}

// The client of openssl connects to a netio.Server, updates its keys and requests an update of
// ours.
func TestOpensslClient(t *testing.T) {
	id := newIdentity(t)
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			err := task.Run(context.Background(), func(ctx context.Context) error {
				ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				config := id.server()
				config.ClientAuth = tls.RequireAndVerifyClientCert
				config.NextProtos = []string{"lines"}
				srv := &netio.Server{TLS: config}
				defer srv.Close()
				task.Go(ctx, func(ctx context.Context) error {
					return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
						state := s.ConnectionState()
						if state.Version != v.id || state.ServerName != "localhost" || len(state.PeerCertificates) != 1 {
							t.Errorf("the state of the server: %+v", state)
						}
						for line, err := range s.Lines(ctx) {
							if err != nil {
								return err
							}
							if _, err := s.Write(ctx, []byte("heard "+line+"\n")); err != nil {
								return err
							}
						}
						_, err := s.Write(ctx, []byte("goodbye\n"))
						return err
					})
				})
				return on(ctx, func() {
					o := startOpenssl(t, "s_client", "-connect", ln.Addr().String(), "-servername", "localhost", v.flag,
						"-CAfile", id.certFile, "-cert", id.certFile, "-key", id.keyFile, "-alpn", "lines", "-verify_return_error")
					o.hear("ALPN protocol: lines")
					for i := range 3 {
						o.say(fmt.Sprint("hello ", i))
						o.hear(fmt.Sprint("heard hello ", i))
						if v.id == tls.VersionTLS13 {
							o.say("K") // a key update that requests ours
							o.hear("KEYUPDATE")
							o.say("k")
							o.hear("KEYUPDATE")
						}
					}
					o.say("Q")
					if err := o.cmd.Wait(); err != nil {
						t.Errorf("openssl: %v", err)
					}
				})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// The client of openssl begins TLS in the middle of SMTP.
func TestOpensslStartTLS(t *testing.T) {
	id := newIdentity(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		ln, err := netio.Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		srv := &netio.Server{}
		defer srv.Close()
		task.Go(ctx, func(ctx context.Context) error {
			return srv.ServeListener(ctx, ln, func(ctx context.Context, s *netio.Stream) error {
				for _, step := range []struct{ say, hear string }{
					{"220 ready\r\n", "EHLO"}, {"250-here\r\n250 STARTTLS\r\n", "STARTTLS"}, {"220 go\r\n", ""},
				} {
					if _, err := s.Write(ctx, []byte(step.say)); err != nil {
						return err
					}
					if step.hear == "" {
						break
					}
					if line, err := s.ReadLine(ctx); err != nil || !strings.HasPrefix(line, step.hear) {
						return fmt.Errorf("the client said %q, %w", line, err)
					}
				}
				if err := s.AcceptTLS(ctx, id.server()); err != nil {
					return err
				}
				_, err := netio.Copy(ctx, s, s)
				return err
			})
		})
		return on(ctx, func() {
			o := startOpenssl(t, "s_client", "-connect", ln.Addr().String(), "-servername", "localhost",
				"-starttls", "smtp", "-CAfile", id.certFile, "-verify_return_error", "-brief")
			o.hear("CONNECTION ESTABLISHED")
			o.say("an encrypted line")
			o.hear("an encrypted line")
			o.say("Q")
			if err := o.cmd.Wait(); err != nil {
				t.Errorf("openssl: %v", err)
			}
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// The server of openssl requires a certificate, resumes sessions, and sends lines back reversed.
func TestOpensslServer(t *testing.T) {
	id := newIdentity(t)
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			o := startOpenssl(t, "s_server", "-accept", "127.0.0.1:0", "-cert", id.certFile, "-key", id.keyFile,
				"-CAfile", id.certFile, "-Verify", "1", "-verify_return_error", v.flag, "-alpn", "lines", "-rev")
			fields := strings.Fields(o.hear("ACCEPT "))
			if len(fields) != 2 {
				t.Fatal("openssl did not print its address")
			}
			drained := make(chan struct{})
			go func() { // openssl must not block on its output
				for o.out.Scan() {
				}
				close(drained)
			}()
			_, port, err := net.SplitHostPort(fields[1])
			if err != nil {
				t.Fatal(err)
			}
			config := id.client()
			config.Certificates = []tls.Certificate{id.cert}
			config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
			config.NextProtos = []string{"lines"}
			err = task.Run(context.Background(), func(ctx context.Context) error {
				for i := range 3 {
					s, err := netio.DialTLS(ctx, "tcp", "127.0.0.1:"+port, config)
					if err != nil {
						return err
					}
					state := s.ConnectionState()
					if state.Version != v.id || state.NegotiatedProtocol != "lines" || state.DidResume != (i > 0) {
						t.Errorf("connection %d: version %x, protocol %q, resumed %v", i, state.Version, state.NegotiatedProtocol, state.DidResume)
					}
					for _, text := range []string{"abc", strings.Repeat("x", 5000) + "y"} {
						if _, err := s.Write(ctx, []byte(text+"\n")); err != nil {
							return err
						}
						line, err := s.ReadLine(ctx)
						if err != nil {
							return err
						}
						if len(line) != len(text) || line[0] != text[len(text)-1] {
							t.Errorf("openssl returned %.20q for %.20q", line, text)
						}
					}
					if err := s.CloseWrite(); err != nil {
						return err
					}
					if rest, err := s.ReadAll(ctx, 100); len(rest) > 0 || err != nil {
						t.Errorf("at the end: %q, %v", rest, err)
					}
					if err := s.Close(); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
			o.cmd.Process.Kill()
			<-drained
		})
	}
}
