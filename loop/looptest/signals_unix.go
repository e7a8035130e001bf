// SPDX-License-Identifier: Apache-2.0

//go:build unix

package looptest

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// raise sends a signal to this process. It may be called on any goroutine.
func raise(r *rig, sig syscall.Signal) {
	r.t.Helper()
	if err := syscall.Kill(syscall.Getpid(), sig); err != nil {
		r.t.Errorf("kill: %v", err)
	}
}

var signalCases = []testCase{
	{
		name:        "signals/handler",
		explanation: "A signal wakes a loop that waits in its poller. Its handler runs as a callback, and may stop the loop. A handler keeps the loop from being idle.",
		run: func(r *rig) {
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, func() {
				r.note("usr1")()
				r.loop.RemoveSignalHandler(syscall.SIGUSR1)
			}))
			r.loop.CallLater(tick, func() { raise(r, syscall.SIGUSR1) })
			r.quit()
			r.want("until idle", "usr1")
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, r.loop.Stop))
			var other sync.WaitGroup
			other.Go(func() { raise(r, syscall.SIGUSR1) })
			r.loop.RunForever()
			other.Wait()
		},
	},
	{
		name:        "signals/coalesce",
		explanation: "Signals of one kind that arrive faster than the loop runs turns may be merged into one call. A signal that arrives after a call is never lost.",
		run: func(r *rig) {
			n := 0
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, func() { n++ }))
			for round := range 20 {
				before := n
				for range 50 {
					raise(r, syscall.SIGUSR1)
				}
				r.until(func() bool { return n > before })
				if n > 50*(round+1) {
					r.t.Fatalf("%d calls for %d signals", n, 50*(round+1))
				}
			}
		},
	},
	{
		name:        "signals/flood",
		explanation: "A flood of one signal does not displace another signal.",
		run: func(r *rig) {
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, func() {}))
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR2, r.note("usr2")))
			for range 500 {
				raise(r, syscall.SIGUSR1)
			}
			raise(r, syscall.SIGUSR2)
			r.until(func() bool { return len(r.notes) > 0 })
			r.want("after the flood", "usr2")
		},
	},
	{
		name:        "signals/replace and remove",
		explanation: "A second AddSignalHandler replaces the first handler. RemoveSignalHandler reports whether there was a handler; a queued call of the handler does not run afterwards.",
		run: func(r *rig) {
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, r.note("old")))
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, r.note("new")))
			raise(r, syscall.SIGUSR1)
			r.until(func() bool { return len(r.notes) > 0 })
			r.want("after the signal", "new")
			arrived := make(chan os.Signal, 1)
			signal.Notify(arrived, syscall.SIGUSR1)
			defer signal.Stop(arrived)
			for range 200 { // in some rounds, the call is queued in the turn that removes the handler
				removed := false
				r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, func() {
					if removed {
						r.t.Error("the handler ran after it was removed")
					}
				}))
				raise(r, syscall.SIGUSR1)
				<-arrived
				r.loop.CallSoon(func() {
					removed = true
					r.loop.RemoveSignalHandler(syscall.SIGUSR1)
				})
				r.turn()
			}
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, func() {}))
			if !r.loop.RemoveSignalHandler(syscall.SIGUSR1) || r.loop.RemoveSignalHandler(syscall.SIGUSR1) {
				r.t.Error("RemoveSignalHandler did not return true first and false second")
			}
			r.quit()
		},
	},
	{
		name:        "signals/remove each other",
		explanation: "If two handlers remove each other, exactly one of them runs. Either may be first, because different signals have no order.",
		run: func(r *rig) {
			arrived := make(chan os.Signal, 2) // otherwise the signal of a removed handler ends the process
			signal.Notify(arrived, syscall.SIGUSR1, syscall.SIGUSR2)
			defer signal.Stop(arrived)
			for range 200 { // in some rounds, both calls are in one turn
				n := 0
				for sig, other := range map[syscall.Signal]syscall.Signal{
					syscall.SIGUSR1: syscall.SIGUSR2, syscall.SIGUSR2: syscall.SIGUSR1,
				} {
					r.ok("AddSignalHandler", r.loop.AddSignalHandler(sig, func() {
						n++
						r.loop.RemoveSignalHandler(other)
					}))
				}
				raise(r, syscall.SIGUSR1)
				raise(r, syscall.SIGUSR2)
				<-arrived
				<-arrived
				r.until(func() bool { return n > 0 })
				r.turn()
				r.turn()
				if n != 1 {
					r.t.Fatalf("%d of two handlers that remove each other ran", n)
				}
				r.loop.RemoveSignalHandler(syscall.SIGUSR1)
				r.loop.RemoveSignalHandler(syscall.SIGUSR2)
			}
		},
	},
	{
		name:        "signals/other handlers stay",
		explanation: "Removing the handler of one signal never uninstalls the handler of another signal, not even for a moment: a SIGTERM in that moment would end the process.",
		run: func(r *rig) {
			heard := make(chan struct{}, 1)
			r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGTERM, func() { heard <- struct{}{} }))
			quit, done := make(chan struct{}), false
			go func() {
				for {
					raise(r, syscall.SIGTERM) // without a handler it ends the process
					<-heard                   // wait, so that no signal is pending when the handler is removed
					select {
					case <-quit:
						r.loop.CallSoonThreadsafe(func() { done = true })
						return
					default:
					}
				}
			}()
			for range 2000 {
				r.ok("AddSignalHandler", r.loop.AddSignalHandler(syscall.SIGUSR1, func() {}))
				r.loop.RemoveSignalHandler(syscall.SIGUSR1)
				r.turn()
			}
			close(quit)
			r.until(func() bool { return done })
		},
	},
	{
		name:        "signals/errors",
		explanation: "A signal that does not exist, or that no program can catch, is an error, and no handler is installed.",
		run: func(r *rig) {
			for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGSTOP, 0, -1, 1000} {
				if err := r.loop.AddSignalHandler(sig, func() {}); err == nil {
					r.t.Errorf("AddSignalHandler(%d) returned no error", sig)
				}
				if r.loop.RemoveSignalHandler(sig) {
					r.t.Errorf("there is a handler for signal %d", sig)
				}
			}
			r.quit()
		},
	},
}
