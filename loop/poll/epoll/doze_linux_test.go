// SPDX-License-Identifier: Apache-2.0

package epoll_test

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
	"baton/loop/poll/epoll"
)

// From the second one on, short sleeps are dozes if there are several processors. A byte, a
// Wake and a deadline end every kind of sleep.
//
// The runtime's monitor would end a long doze every 10 ms and hide a lost wakeup. So the test
// runs in a child process without preemption and garbage collection: there, a doze that misses
// its wakeup hangs.
func TestEveryKindOfSleepEnds(t *testing.T) {
	const alone = "asyncpreemptoff=1"
	if os.Getenv("GODEBUG") == alone {
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
		eachSleep(t)
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestEveryKindOfSleepEnds$", "-test.v")
	child.Env = append(os.Environ(), "GODEBUG="+alone)
	if out, err := child.CombinedOutput(); err != nil {
		t.Errorf("%v, after\n%s", err, out)
	}
}

func eachSleep(t *testing.T) {
	for _, tt := range []struct {
		name  string
		mode  int // index in modes
		procs int
		doze  time.Duration
		dozes bool
	}{
		{"doze", 0, 2, time.Hour, true},
		{"doze too short", 0, 2, time.Nanosecond, false},
		{"as configured", 0, 2, 0, false},
		{"one processor", 0, 1, time.Hour, false},
		{"blocking", 1, 2, 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(tt.procs))
			p := open(t, modes[tt.mode].config)
			if p.Doze(true); tt.doze > 0 {
				p.DozeFor(tt.doze)
			}
			shortSleeps(t, p)
			if tt.doze > 0 && (p.Dozes() > 0) != tt.dozes {
				t.Errorf("the poller has dozed %d times, want dozes: %v", p.Dozes(), tt.dozes)
			}
		})
	}
}

// A goroutine that waits for a processor can run although the loop dozes all the time and
// another goroutine keeps the other processor busy.
func TestDozingLoopYieldsToGoroutines(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	p := open(t, modes[0].config)
	p.Doze(true)
	p.DozeFor(time.Second)
	fd := ticking(t)
	h, err := p.Adopt(uintptr(fd))
	if err != nil {
		t.Fatal(err)
	}
	var expired [8]byte
	var spins, stop, ran atomic.Bool
	defer stop.Store(true)
	tick := &poll.Op{Kind: poll.Readable, Handle: h}
	doze := func(n uint) { // returns after n more dozes
		for n += p.Dozes(); p.Dozes() < n && !ran.Load(); {
			for waits := !p.Submit(tick); waits; {
				waits = len(p.Wait(nil, -1)) == 0
			}
			unix.Read(fd, expired[:])
		}
	}
	go func() {
		for spins.Store(true); !stop.Load(); { // keeps the other processor busy
		}
	}()
	for !spins.Load() {
		runtime.Gosched()
	}
	doze(1)
	go ran.Store(true)
	if doze(34); !ran.Load() {
		t.Error("a goroutine has not run while the loop dozed 34 times")
	}
}

// Events of a loop that does not sleep do not wake the thread in Go's network poller.
func TestBusyLoopDoesNotWakeRuntime(t *testing.T) {
	p := open(t, modes[0].config)
	p.Wait(nil, time.Microsecond)
	if !p.Armed() {
		t.Error("the outer set of a loop that slept is switched off")
	}
	if p.Wait(nil, 0); p.Armed() {
		t.Error("events of a busy loop wake the thread in Go's network poller")
	}
}

// The requests that shortSleeps sends to its peer, one byte each.
const (
	answer byte = iota
	wake
	silence
)

// rounds is the number of sleeps in shortSleeps.
const rounds = 1500

// shortSleeps sleeps many times, and each sleep must end.
func shortSleeps(t *testing.T, p *epoll.Poller) {
	ours, theirs := pair(t)
	h, err := p.Adopt(uintptr(ours))
	if err != nil {
		t.Fatal(err)
	}
	var wakes atomic.Int64
	var peer sync.WaitGroup
	defer peer.Wait()
	defer unix.Shutdown(ours, unix.SHUT_WR) // ends the peer
	peer.Go(func() {
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
	})
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	in := &poll.Op{Kind: poll.Readable, Handle: h}
	var woken int64
	var done []*poll.Op
	for range rounds {
		request := []byte{byte(random.IntN(3))}
		if request[0] == answer && p.Submit(in) {
			t.Fatal("the socket is readable before the request was sent")
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

// pair returns two connected sockets and closes them at the end of the test.
func pair(t *testing.T) (ours, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(fds[0])
		unix.Close(fds[1])
	})
	return fds[0], fds[1]
}

// ticking returns a descriptor that becomes readable every 20 microseconds, until the end of
// the test.
func ticking(t *testing.T) int {
	t.Helper()
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	often := unix.NsecToTimespec(int64(20 * time.Microsecond))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: often, Value: often}, nil); err != nil {
		t.Fatal(err)
	}
	return fd
}
