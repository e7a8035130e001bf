// SPDX-License-Identifier: Apache-2.0

package poll_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"baton/loop/poll"
	"baton/loop/poll/virtual"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestKindString(t *testing.T) {
	for _, c := range []struct {
		kind poll.Kind
		want string
	}{
		{0, "none"}, {poll.Connect, "connect"}, {poll.Accept, "accept"}, {poll.Read, "read"}, {poll.Write, "write"},
		{poll.Lookup, "lookup"}, {poll.Readable, "readable"}, {poll.Writable, "writable"},
		{poll.Receive, "receive"}, {poll.Send, "send"}, {poll.SendFile, "sendfile"}, {200, "unknown"},
	} {
		if got := c.kind.String(); got != c.want {
			t.Errorf("Kind(%d) is %q, want %q", uint8(c.kind), got, c.want)
		}
	}
}

func TestCaps(t *testing.T) {
	const some = poll.Unix | poll.Pinned
	for _, c := range []struct {
		caps poll.Caps
		text string
		has  bool // all of some
	}{
		{0, "", false}, {poll.Unix, "unix", false}, {some, "unix|pinned", true},
		{some | poll.Vectored, "unix|vectored|pinned", true}, {1 << 31, "", false},
	} {
		if got := c.caps.String(); got != c.text {
			t.Errorf("Caps(%#x) are %q, want %q", uint32(c.caps), got, c.text)
		}
		if got := c.caps.Has(some); got != c.has {
			t.Errorf("%v has %v: %v, want %v", c.caps, some, got, c.has)
		}
	}
	// Every capability has a name: as many words as bits.
	if got, want := (^poll.Caps(0)).String(), "unix|lookups|readiness|adopts|provided|vectored|virtual|jumps|pinned|datagrams|sendfiles|ancillary"; got != want {
		t.Errorf("all capabilities are %q, want %q", got, want)
	}
}

// Time and I/O are one seam: the Wait for an answer that never comes ends with
// its deadline, and in this world no time passes outside.
func Example() {
	p := virtual.New(virtual.Config{})
	defer p.Close()
	l, err := p.Listen(&net.TCPAddr{}, poll.ListenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	op := &poll.Op{Kind: poll.Accept, Handle: l}
	fmt.Println("at once:", p.Submit(op))

	start := p.Now()
	done := p.Wait(nil, time.Hour)
	fmt.Println("finished:", len(done), "after", p.Now().Sub(start))

	p.Cancel(op)
	done = p.Wait(done, time.Hour)
	fmt.Println("finished:", len(done), "with", op.Err)
	// Output:
	// at once: false
	// finished: 0 after 1h0m0s
	// finished: 1 with poll: operation canceled
}
