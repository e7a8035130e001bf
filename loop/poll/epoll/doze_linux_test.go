// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// Sleeps that are over at once are dozes from the second one on, on a machine
// with several processors; between them come long ones. Whatever kind of sleep it
// is, a byte, a Wake and a deadline each end it, and a deadline never early. A
// lost wake-up would hang the test.
func TestShortSleeps(t *testing.T) {
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			for _, procs := range []int{2, 1} {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				shortSleeps(t, mode.config)
			}
		})
	}
}

// What the partner of shortSleeps is asked for by a byte.
const (
	answer byte = iota
	wake
	silence
)

func shortSleeps(t *testing.T, c epoll.Config) {
	p := open(t, c)
	ours, theirs := pair(t)
	h, err := p.Adopt(uintptr(ours))
	if err != nil {
		t.Fatal(err)
	}
	var wakes atomic.Int64
	go func() { // ends when the pair is closed
		var b [1]byte
		for {
			switch n, err := unix.Read(theirs, b[:]); {
			case err == unix.EINTR:
			case n <= 0:
				return
			case b[0] == answer:
				unix.Write(theirs, b[:])
			case b[0] == wake:
				wakes.Add(1)
				p.Wake()
			}
		}
	}()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	in := &poll.Op{Kind: poll.Readable, Handle: h}
	var woken int64
	var done []*poll.Op
	for range 1500 {
		request := []byte{byte(random.IntN(3))}
		if request[0] == answer && p.Submit(in) {
			t.Fatal("there is a byte before anybody was asked for one")
		}
		if _, err := unix.Write(ours, request); err != nil {
			t.Fatal(err)
		}
		switch request[0] {
		case answer:
			for done = done[:0]; len(done) == 0; {
				done = p.Wait(done, -1)
			}
			unix.Read(ours, request)
		case wake:
			for woken++; wakes.Load() < woken; {
				p.Wait(done[:0], -1)
			}
		case silence:
			limit := time.Duration(random.IntN(200)) * time.Microsecond
			for end := p.Now().Add(limit); p.Now().Before(end); {
				p.Wait(done[:0], max(time.Until(end), 0))
			}
		}
	}
}

// pair makes two connected sockets that are closed with the test. The first does
// not block.
func pair(t *testing.T) (ours, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Shutdown(fds[1], unix.SHUT_RDWR) // wakes whoever reads
		unix.Close(fds[1])
	})
	return fds[0], fds[1]
}
