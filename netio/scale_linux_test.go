// SPDX-License-Identifier: Apache-2.0

package netio_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// scaled returns a number of connections: n in ./do scale, otherwise a tenth of n, or a fiftieth
// with the race detector.
func scaled(n int) int {
	switch {
	case os.Getenv("NETIO_TEST_SCALE") == "full":
		return n
	case raceEnabled:
		return n / 50
	}
	return n / 10
}

// permitted returns n, or fewer if the process may not have enough descriptors. The Go runtime has
// raised the soft limit.
func permitted(t *testing.T, n int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(limit.Cur) - descriptors() - 100; most < n {
		t.Logf("%d connections instead of %d: this process may have %d descriptors", most, n, limit.Cur)
		n = most
	}
	return n
}

// A footprint is how much a process holds of what must not leak.
type footprint struct {
	descriptors, goroutines int
	memory                  int // bytes of heap and stacks in use, after a collection
}

func measure() footprint {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // frees what a sync.Pool has kept in the first one
	runtime.ReadMemStats(&m)
	return footprint{descriptors(), runtime.NumGoroutine(), int(m.HeapAlloc + m.StackInuse)}
}

// checkNothingLeft fails the test if more descriptors, goroutines or memory are in use than before.
// It allows some more memory, because the runtime keeps the descriptors of ended goroutines.
func checkNothingLeft(t *testing.T, before footprint, memory int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; { // some goroutines have not ended yet
		after := measure()
		if after.descriptors <= before.descriptors && after.goroutines <= before.goroutines && after.memory <= before.memory+memory {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("in use before: %+v, after: %+v", before, after)
			return
		}
	}
}

// The environment variables of the second process of TestManyIdleConnections.
const (
	crowdAddress = "NETIO_TEST_CROWD_ADDRESS"
	crowdSize    = "NETIO_TEST_CROWD_SIZE"
	crowdTLS     = "NETIO_TEST_CROWD_TLS"
)

// A server has ten thousand connections at once to another process, or fewer without
// ./do scale. Each is served, is idle, and is served again. Afterwards nothing of them is left.
func TestManyIdleConnections(t *testing.T) {
	if os.Getenv(crowdAddress) != "" {
		crowd(t)
		return
	}
	for _, c := range []struct {
		name   string
		server *netio.Server
		most   int // bytes for an idle connection
	}{
		{"plain", &netio.Server{}, 12 << 10},
		{"TLS", &netio.Server{TLS: newAuthority(t).server(t)}, 48 << 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			must(net.Listen("tcp", "127.0.0.1:0"))(t).Close() // opens descriptors that the runtime keeps open
			n, before := permitted(t, scaled(10_000)), measure()
			goroutines, most := n, c.most
			if os.Getenv("BATON_POLLER") == "portable" { // it has a goroutine for each operation
				goroutines, most = 2*n, c.most+12<<10
			}
			real(t, func(ctx context.Context) error {
				var heard int
				var news task.WaitQueue
				s := serve(ctx, t, c.server, func(ctx context.Context, s *netio.Stream) error {
					for line, err := range s.Lines(ctx) {
						if err != nil {
							return err
						}
						if heard++; heard == n {
							news.WakeAll()
						}
						if _, err := s.Write(ctx, []byte(line+"\n")); err != nil {
							return err
						}
					}
					return nil
				})
				open := measure()
				clients := exec.Command(os.Args[0], "-test.run=^TestManyIdleConnections$")
				clients.Env = append(os.Environ(), crowdAddress+"="+s.ln.Addr().String(), crowdSize+"="+strconv.Itoa(n))
				if c.server.TLS != nil {
					clients.Env = append(clients.Env, crowdTLS+"=1")
				}
				var out bytes.Buffer
				clients.Stdout, clients.Stderr = &out, &out
				stdin := must(clients.StdinPipe())(t)
				if err := clients.Start(); err != nil {
					return err
				}
				ended := task.Start(ctx, func(ctx context.Context) (int, error) {
					defer news.WakeAll()
					return await.Blocking(ctx, func(ctx context.Context) (int, error) {
						defer context.AfterFunc(ctx, func() { clients.Process.Kill() })()
						return 0, clients.Wait()
					})
				})
				if heard < n {
					want(t, "Wait", news.Wait(ctx, task.Text("the clients")), nil)
				}
				must(0, task.Yield(ctx))(t)
				idle := must(await.Blocking(ctx, func(context.Context) (footprint, error) { return measure(), nil }))(t)
				each := (idle.memory - open.memory) / n
				t.Logf("%d idle connections: %d bytes each, %d goroutines", n, each, idle.goroutines)
				if heard != n || idle.descriptors-open.descriptors < n || idle.goroutines > open.goroutines+goroutines+n/10+20 || each > most && !raceEnabled {
					t.Errorf("%d connections were served; before: %+v, idle: %+v", heard, open, idle)
				}
				stdin.Close() // the clients continue
				if _, err := ended.Await(ctx); err != nil || heard != 2*n {
					t.Errorf("received %d lines, want %d; the clients ended with %v\n%s", heard, 2*n, err, out.Bytes())
				}
				want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
				_, err := s.serving.Await(ctx)
				return errors.Join(append(s.errs, err)...)
			})
			checkNothingLeft(t, before, 2<<20+1<<10*n)
		})
	}
}

// crowd is the second process. It opens all connections, sends a line on each and reads it back.
// At the end of its input it does so once more.
func crowd(t *testing.T) {
	n := must(strconv.Atoi(os.Getenv(crowdSize)))(t)
	a := newAuthority(t)
	real(t, func(ctx context.Context) error {
		streams := make([]*netio.Stream, n)
		each := func(what func(ctx context.Context, i int) error) error {
			const together = 100
			return task.Scope(ctx, func(ctx context.Context) error {
				for first := range together {
					task.Go(ctx, func(ctx context.Context) error {
						for i := first; i < n; i += together {
							if err := what(ctx, i); err != nil {
								return fmt.Errorf("connection %d: %w", i, err)
							}
						}
						return nil
					})
				}
				return nil
			})
		}
		talk := func(ctx context.Context, i int) error {
			text := strconv.Itoa(i)
			if _, err := streams[i].Write(ctx, []byte(text+"\n")); err != nil {
				return err
			}
			line, err := streams[i].ReadLine(ctx)
			if line != text {
				err = fmt.Errorf("received %q, %w", line, err)
			}
			return err
		}
		err := each(func(ctx context.Context, i int) error {
			var err error
			if streams[i], err = netio.Dial(ctx, "tcp", os.Getenv(crowdAddress)); err != nil {
				return err
			}
			if os.Getenv(crowdTLS) != "" {
				if err := streams[i].StartTLS(ctx, a.quick()); err != nil {
					return err
				}
			}
			return talk(ctx, i)
		})
		if err != nil {
			return err
		}
		must(await.Blocking(ctx, func(context.Context) ([]byte, error) { return io.ReadAll(os.Stdin) }))(t)
		return each(func(ctx context.Context, i int) error {
			if err := talk(ctx, i); err != nil {
				return err
			}
			return streams[i].Close()
		})
	})
}

// A hundred thousand connections are opened and are ended in every possible way, or fewer
// without ./do scale. Afterwards nothing of them is left.
func TestEndedConnectionsLeaveNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		all  int
		tls  bool
	}{{"plain", 100_000, false}, {"TLS", 3_000, true}} {
		t.Run(c.name, func(t *testing.T) {
			a := newAuthority(t)
			round := func(all int) {
				real(t, func(ctx context.Context) error {
					srv := &netio.Server{}
					if c.tls {
						srv.TLS = a.server(t)
					}
					s := serve(ctx, t, srv, echo)
					before := descriptors()
					const together = 50
					err := task.Scope(ctx, func(ctx context.Context) error {
						for first := range together {
							task.Go(ctx, func(ctx context.Context) error {
								// One local address does not have enough ports.
								d := netio.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+first))}}
								for i := first; i < all; i += together {
									if err := comeAndGo(ctx, d, s, i, c.tls, a); err != nil {
										return fmt.Errorf("connection %d: %w", i, err)
									}
								}
								return nil
							})
						}
						return nil
					})
					want(t, "Scope", err, nil)
					settle(ctx, t, before)
					if tasks := len(task.Tasks(ctx)); tasks > 2 {
						t.Errorf("%d tasks are left", tasks)
					}
					want(t, "Shutdown", s.srv.Shutdown(ctx), nil)
					_, err = s.serving.Await(ctx)
					return errors.Join(append(s.errs, err)...)
				})
			}
			round(min(1000, scaled(c.all))) // the runtime keeps some memory of many goroutines
			before := measure()
			round(scaled(c.all))
			checkNothingLeft(t, before, 1<<20)
		})
	}
}

// comeAndGo opens connection i, uses it for most values of i, and ends it.
func comeAndGo(ctx context.Context, d netio.Dialer, s *testServer, i int, encrypted bool, a *authority) (err error) {
	c, err := d.Dial(ctx, "tcp", s.ln.Addr().String())
	if err != nil {
		return err
	}
	end := c.Close
	if i%5 > 0 {
		end = c.Abort // leaves no TIME_WAIT
	}
	defer func() { err = errors.Join(err, end()) }()
	if i%7 == 0 {
		return nil
	}
	if encrypted {
		if err := c.StartTLS(ctx, a.quick()); err != nil {
			return err
		}
	}
	if _, err := c.Write(ctx, []byte("hello\n")); err != nil {
		return err
	}
	if line, err := c.ReadLine(ctx); line != "hello" {
		return fmt.Errorf("received %q, %w", line, err)
	}
	if i%3 == 0 {
		if err := c.CloseWrite(); err != nil {
			return err
		}
		_, err = c.ReadAll(ctx, 0)
	}
	return err
}
