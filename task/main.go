// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// A SignalError is the cause with which Main cancels its tasks.
type SignalError struct{ Signal os.Signal }

// Error names the signal.
func (s *SignalError) Error() string { return "signal: " + s.Signal.String() }

// Main is for func main: it runs main like [Run] and ends the process; it does not
// return. The first SIGINT or SIGTERM cancels main with a *SignalError as the cause,
// so that it can clean up; a second one ends the process at once, as Main says if the
// tasks have not ended a second after the first. That a signal may come does not keep
// a program from being deadlocked: one that waits for nothing else needs a handler of
// its own (see loop.Loop.AddSignalHandler).
//
// A clean end exits with 0; an error is printed to standard error and exits with 1.
// After a signal it prints the signal, and the error if that says more than the cancel.
// If it does not, and after a second signal, Main exits with 128 plus the signal's
// number (130, 143), by which shells and supervisors know a program that a signal has
// ended. To exit with 0 after a signal, wrap the tasks in [Scope], drop its cancel error
// and return nil. A panic in a task ends the process as
// any panic does, after the other tasks have been cancelled and have ended.
func Main(main func(ctx context.Context) error) { Runner{}.Main(main) }

// Main is like the function Main, with what the Runner brings.
func (r Runner) Main(main func(ctx context.Context) error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	incoming := make(chan os.Signal, 2)
	signal.Notify(incoming, os.Interrupt, syscall.SIGTERM)
	// A goroutine and not the loop: it must work while a task holds the baton.
	go func() {
		first := &SignalError{<-incoming}
		cancel(first)
		os.Exit(exitCode(again(first, incoming)))
	}()
	err := ErrGoexit
	defer func() {
		if v := recover(); v != nil {
			panic(v)
		}
		end(ctx, err) // main called runtime.Goexit
	}()
	err = r.Run(quiet{ctx}, main)
	end(ctx, err)
}

// again waits for the second signal. Somebody who waits for the end of the process
// all that time is told how to have it.
func again(first *SignalError, incoming <-chan os.Signal) os.Signal {
	select {
	case second := <-incoming:
		return second
	case <-time.After(time.Second):
		fmt.Fprintf(os.Stderr, "%v: the tasks have not ended yet; another signal ends the process at once\n", first)
		return <-incoming
	}
}

// end ends the process as err demands. ctx tells whether there was a signal.
func end(ctx context.Context, err error) {
	if err == nil {
		os.Exit(0)
	}
	code := 1
	if s, signaled := context.Cause(ctx).(*SignalError); signaled {
		if only(err, s.matches) {
			err, code = s, exitCode(s.Signal)
		} else {
			err = errors.Join(s, err)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(code)
}

// exitCode is that of a process which sig has ended.
func exitCode(sig os.Signal) int {
	if n, ok := sig.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 1
}

// matches reports whether err is s, a cancel by it, or what ctx.Err returns then.
func (s *SignalError) matches(err error) bool {
	c, canceled := err.(*Canceled)
	return canceled && errors.Is(c, s) || err == error(s) || err == context.Canceled
}

// quiet is the context of Main. Signals alone do not keep a program from being
// deadlocked, so it does not count as a door. foreignContexts.add knows it by
// its type.
type quiet struct{ context.Context }
