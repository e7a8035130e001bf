// SPDX-License-Identifier: Apache-2.0

package poll_test

import (
	"testing"

	"go.uber.org/goleak"

	"baton/loop/poll"
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
			t.Errorf("String of Kind(%d) is %q, want %q", uint8(c.kind), got, c.want)
		}
	}
}

func TestCaps(t *testing.T) {
	const some = poll.Unix | poll.Pinned
	for _, c := range []struct {
		caps poll.Caps
		text string
		has  bool // has all of some
	}{
		{0, "", false}, {poll.Unix, "unix", false}, {some, "unix|pinned", true},
		{some | poll.Vectored, "unix|vectored|pinned", true}, {1 << 31, "", false},
	} {
		if got := c.caps.String(); got != c.text {
			t.Errorf("String of Caps(%#x) is %q, want %q", uint32(c.caps), got, c.text)
		}
		if got := c.caps.Has(some); got != c.has {
			t.Errorf("(%v).Has(%v) is %v, want %v", c.caps, some, got, c.has)
		}
	}
	// Every capability has a name.
	if got, want := (^poll.Caps(0)).String(), "unix|lookups|readiness|adopts|provided|vectored|virtual|jumps|pinned|datagrams|sendfiles|ancillary"; got != want {
		t.Errorf("String of all capabilities is %q, want %q", got, want)
	}
}
