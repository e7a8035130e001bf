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
// After a signal it prints the signal, and then whatever the error says besides the
// cancel. If that is nothing, and after a second signal, it exits with 128 plus the
// signal's number (130, 143), by which shells and supervisors know a program that a
// signal has ended. A main that calls its end clean all the same returns nil, and has
// a [Scope] of its own around tasks that may return the cancel: one of main's scope
// that does says that the signal has ended it. A panic in a task ends the process as
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
		if more := s.less(err); more != nil {
			err = errors.Join(s, more)
		} else {
			err, code = s, exitCode(s.Signal)
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

// less returns err less what says no more than that s has come, and nil if nothing
// else is left: s itself, a cancel by it, and the bare sentinel of one, wrapped or
// joined. It is without for an err that is only printed: a cancel for the same signal
// is an echo whatever was cancelled, and what was joined is joined anew whenever
// something was dropped.
func (s *SignalError) less(err error) error {
	switch e := err.(type) {
	case *SignalError:
		if e == s {
			return nil
		}
	case *PanicError:
		return err // whatever it panicked with
	case *Canceled:
		if errors.Is(e, s) {
			return nil
		}
		return err
	case interface{ Unwrap() []error }:
		var kept []error
		whole := true
		for _, part := range e.Unwrap() {
			rest := s.less(part)
			whole = whole && untouched(rest, part)
			if rest != nil {
				kept = append(kept, rest)
			}
		}
		if whole {
			return err
		}
		return errors.Join(kept...)
	}
	if err == context.Canceled {
		return nil
	}
	if inner := errors.Unwrap(err); inner != nil && s.less(inner) == nil {
		return nil
	}
	return err
}

// quiet is the context of Main. Signals alone do not keep a program from being
// deadlocked, so it does not count as a door. foreignContexts.add knows it by
// its type.
type quiet struct{ context.Context }
