// SPDX-License-Identifier: Apache-2.0

package protocol_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"baton/netio/protocol"
	"baton/netio/protocol/protocoltest"
)

func TestEmptyBufferAbortsTheConnection(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t, Size: -1}
		s, _ := pair(ctx, t, protocol.Config{}, c.Buffered())
		must(t, c.UntilLost(ctx))
		if c.Err == nil || c.Err.Error() != "protocol: GetBuffer returned an empty buffer; return at least one byte" {
			t.Errorf("ConnectionLost with %v", c.Err)
		}
		s.Close()
		works(ctx, t, func(c *protocoltest.Checker) protocol.Base { return c.Buffered() })
	})
}

func TestBuffersSmallerThanTheData(t *testing.T) {
	for _, size := range []int{1, 3, 100, 70_000} {
		t.Run("", func(t *testing.T) {
			eachWorld(t, func(ctx context.Context, t *testing.T) {
				c := &protocoltest.Checker{T: t, Size: size}
				s, _ := pair(ctx, t, protocol.Config{}, c.Buffered())
				want := pattern(2000, byte(size))
				write(ctx, t, s, want)
				must(t, s.Close())
				must(t, c.UntilLost(ctx))
				if !bytes.Equal(c.Data, want) || c.Err != nil {
					t.Errorf("a wrong byte at %d, %v", differ(c.Data, want), c.Err)
				}
			})
		})
	}
}

// faces are a checker as a protocol of each kind. The checker stays the same when one face
// replaces another.
func face(c *protocoltest.Checker, n int) protocol.Base { return sorts[n%len(sorts)].of(c) }

// The protocol may be replaced at any time by a protocol of any kind: within its calls, and while
// a read is in flight. No byte is lost or received twice.
func TestProtocolIsReplacedWithinItsCalls(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		seed := rand.Uint64()
		random := rand.New(rand.NewPCG(seed, 0))
		defer func() {
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		}()
		c := &protocoltest.Checker{T: t}
		replace := func() {
			c.Size = 1 + random.IntN(300)
			c.Transport.SetProtocol(face(c, random.IntN(3)))
		}
		c.OnMade = replace
		c.OnData = func([]byte) { replace() }
		c.OnReceive = func(context.Context, []byte) error { replace(); return nil }
		c.OnBuffer = func() {
			if random.IntN(4) == 0 {
				replace()
			}
		}
		s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
		want := pattern(100_000, 9)
		join := goTask(ctx, func(ctx context.Context) error {
			for rest := want; len(rest) > 0; {
				n := min(1+random.IntN(1000), len(rest))
				write(ctx, t, s, rest[:n])
				rest = rest[n:]
			}
			return s.CloseWrite()
		})
		for !c.Lost() {
			turns(ctx, t, 1+random.IntN(3))
			if !tr.IsClosing() {
				replace()
			}
		}
		must(t, join(ctx))
		if !bytes.Equal(c.Data, want) || c.Err != nil {
			t.Errorf("%d bytes, something else at %d, %v", len(c.Data), differ(c.Data, want), c.Err)
		}
		must(t, s.Close())
	})
}

// A protocol that replaces another while a read is in flight receives the bytes of that read.
func TestProtocolIsReplacedWhileAReadIsInFlight(t *testing.T) {
	for _, before := range sorts {
		for _, after := range sorts {
			t.Run(before.name+" to "+after.name, func(t *testing.T) {
				eachWorld(t, func(ctx context.Context, t *testing.T) {
					c := &protocoltest.Checker{T: t, Size: 5}
					s, tr := pair(ctx, t, protocol.Config{}, before.of(c))
					write(ctx, t, s, []byte("first "))
					must(t, c.UntilData(ctx, 6))
					turns(ctx, t, 3)
					p := after.of(c)
					tr.SetProtocol(p)
					if tr.Protocol() != p {
						t.Error("Protocol is another one")
					}
					write(ctx, t, s, []byte("second"))
					must(t, s.CloseWrite())
					must(t, c.UntilLost(ctx))
					if string(c.Data) != "first second" || c.Err != nil {
						t.Errorf("%q, %v", c.Data, c.Err)
					}
					must(t, s.Close())
				})
			})
		}
	}
}

// nothing implements Base, but none of the protocols.
type nothing struct{}

func (nothing) ConnectionMade(*protocol.Transport) {}
func (nothing) ConnectionLost(error)               {}

// A type that cannot receive bytes is refused by all functions that take a protocol, and the
// connection continues.
func TestTypeThatIsNoProtocolPanics(t *testing.T) {
	eachWorld(t, func(ctx context.Context, t *testing.T) {
		c := &protocoltest.Checker{T: t}
		s, tr := pair(ctx, t, protocol.Config{}, c.Plain())
		for _, p := range []protocol.Base{nothing{}, nil} {
			refused := func(call string, fn func()) {
				t.Helper()
				defer func() {
					if v, _ := recover().(string); !strings.Contains(v, "is no Protocol, BufferedProtocol or Receiver") {
						t.Errorf("%s: panic %v", call, v)
					}
				}()
				fn()
			}
			refused("SetProtocol", func() { tr.SetProtocol(p) })
			near, far := streams(ctx, t)
			d, err := near.Detach(ctx)
			must(t, err)
			refused("Attach", func() { protocol.Attach(ctx, d, p) })
			must(t, d.Close())
			far.Close()
		}
		write(ctx, t, s, []byte("fine"))
		must(t, c.UntilData(ctx, 4))
		must(t, s.Close())
		must(t, c.UntilLost(ctx))
	})
}

// GetBuffer may replace the protocol, and may pause or close the transport. The transport then
// does not use the returned memory, and no byte is lost.
func TestGetBufferThatChangesTheTransport(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "tcp", true: "tls"}[secure], func(t *testing.T) {
			for _, test := range []struct {
				name string
				then func(c, other *protocoltest.Checker)
				want string
			}{
				{"PauseReading", func(c, _ *protocoltest.Checker) { c.Transport.PauseReading() }, "data|"},
				{"Close", func(c, _ *protocoltest.Checker) { c.Transport.Close() }, "|"},
				{"Abort", func(c, _ *protocoltest.Checker) { c.Transport.Abort() }, "|"},
				{"plain", func(c, other *protocoltest.Checker) { c.Transport.SetProtocol(other.Plain()) }, "|data"},
				{"buffered", func(c, other *protocoltest.Checker) { c.Transport.SetProtocol(other.Buffered()) }, "|data"},
				{"task", func(c, other *protocoltest.Checker) { c.Transport.SetProtocol(other.Task()) }, "|data"},
			} {
				t.Run(test.name, func(t *testing.T) {
					for _, ahead := range []bool{false, true} {
						eachWorld(t, func(ctx context.Context, t *testing.T) {
							c, other := &protocoltest.Checker{T: t}, &protocoltest.Checker{T: t, Size: 3}
							s, tr := securePair(ctx, t, secure, c.Plain())
							other.Adopt(tr)
							if ahead { // GetBuffer is called for bytes that have already arrived
								tr.PauseReading()
								write(ctx, t, s, []byte("data"))
								turns(ctx, t, 20)
							}
							c.OnBuffer = func() {
								c.OnBuffer = nil
								test.then(c, other)
							}
							tr.SetProtocol(c.Buffered())
							tr.ResumeReading()
							turns(ctx, t, 5)
							if !ahead {
								_, _ = s.Write(ctx, []byte("data")) // fails after Abort
							}
							turns(ctx, t, 20)
							if test.name == "PauseReading" && len(c.Data) > 0 {
								t.Errorf("%q while reading is paused", c.Data)
							}
							s.CloseWrite()
							until(ctx, t, func() bool {
								tr.ResumeReading() // GetBuffer may have called PauseReading late
								return c.Lost() || other.Lost()
							})
							if got := string(c.Data) + "|" + string(other.Data); got != test.want {
								t.Errorf("received %q, want %q", got, test.want)
							}
							s.Close()
						})
					}
				})
			}
		})
	}
}
