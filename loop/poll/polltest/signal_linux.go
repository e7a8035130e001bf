// SPDX-License-Identifier: Apache-2.0

package polltest

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"baton/loop/poll"
)

// signalCases are about signals, which interrupt system calls, and about running out of
// descriptors. A virtual poller has neither.
var signalCases = []testCase{
	{
		name:        "signal/EINTR",
		explanation: "A signal interrupts system calls. It must end neither a Wait nor an operation, because profilers send hundreds of signals per second.",
		lacks:       poll.Virtual,
		run:         underSignals,
	},
	{
		name:        "signal/no descriptors",
		explanation: "Without free descriptors each Accept fails with EMFILE. The connection is still in the queue when there are descriptors again, although no event comes for it. A busy server must recover.",
		lacks:       poll.Virtual,
		run:         withoutDescriptors,
	},
}

// underSignals reads and writes while the thread of the case, to which Run has pinned it, gets
// as many signals as possible.
func underSignals(r *rig) {
	l := r.listen()
	client, server := r.connect(l)
	defer storm(unix.Gettid())()
	for range 200 {
		in := read(server, 64)
		r.submit(in)
		r.sleep(100 * time.Microsecond)
		r.say(client, "x")
		r.finish(in)
		if in.N != 1 || in.Err != nil {
			r.t.Fatalf("read %d bytes, error %v", in.N, in.Err)
		}
		c, s := r.connect(l)
		r.ok("Close", c.Close())
		r.ok("Close", s.Close())
	}
}

// storm sends signals to a thread until the returned function is called.
func storm(thread int) (end func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for pid := unix.Getpid(); ; runtime.Gosched() {
			select {
			case <-stop:
				return
			default:
				unix.Tgkill(pid, thread, unix.SIGUSR1)
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		signal.Stop(signals)
	}
}

func withoutDescriptors(r *rig) {
	l := r.listen()
	r.must(connect(l.LocalAddr()))
	in := accept(l)

	restore := noDescriptors(r)
	for range 3 {
		r.want(r.do(in), syscall.EMFILE)
		if in.Accepted != nil {
			r.t.Error("the operation failed with EMFILE and has a handle")
		}
	}
	out := r.do(connect(l.LocalAddr()))
	if r.want(out, syscall.EMFILE); out.Handle != nil {
		r.t.Error("the operation failed with EMFILE and has a handle")
	}
	if _, err := r.poller.Listen(loopback(), poll.ListenOptions{}); err == nil {
		r.t.Error("Listen succeeded without a free descriptor")
	}
	restore()
	r.must(in)
	r.connect(l)
}

// noDescriptors prevents new descriptors in this process until restore is called, at the latest
// at the end of the case. Open descriptors stay open.
func noDescriptors(r *rig) (restore func()) {
	r.t.Helper()
	var before unix.Rlimit
	r.ok("getrlimit", unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	none := before
	none.Cur = 3
	r.ok("setrlimit", unix.Setrlimit(unix.RLIMIT_NOFILE, &none))
	restore = func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) }
	r.t.Cleanup(restore)
	return restore
}
