// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// A SignalError is the cause with which Main cancels its tasks.
type SignalError struct{ Signal os.Signal }

// Error names the signal.
func (s *SignalError) Error() string { return "signal: " + s.Signal.String() }

// Main is for func main: it runs main like [Run] and ends the process; it does
// not return. The first SIGINT or SIGTERM cancels main with a *SignalError as
// the cause, so that it can clean up; a second one ends the process at once,
// with 1. A clean end exits with 0; an error is printed to standard error and
// exits with 1: after a signal that, and then what of the error is not its echo, as
// who was cut off by it; a panic in a task ends the process as any panic does, after the
// other tasks have been cancelled and have ended.
func Main(main func(ctx context.Context) error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	incoming := make(chan os.Signal, 2)
	signal.Notify(incoming, os.Interrupt, syscall.SIGTERM)
	// A goroutine and not the loop: it must work while a task holds the baton.
	go func() {
		cancel(&SignalError{<-incoming})
		<-incoming
		os.Exit(1)
	}()
	err := ErrGoexit
	defer func() {
		if v := recover(); v != nil {
			panic(v)
		}
		end(ctx, err) // main called runtime.Goexit
	}()
	err = Run(quiet{ctx}, main)
	end(ctx, err)
}

// end ends the process as err demands. ctx tells whether there was a signal: then
// the cancel that it was for main, in whatever form main returns it, says no more
// than the signal does.
func end(ctx context.Context, err error) {
	if err == nil {
		os.Exit(0)
	}
	if s, signaled := context.Cause(ctx).(*SignalError); signaled {
		echo := func(c *Canceled) bool { return errors.Is(c, s) }
		if err = without(err, newCanceled(nil, s), echo); err != error(s) {
			err = errors.Join(s, err)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// quiet is the context of Main. Signals alone do not keep a program from being
// deadlocked, so it does not count as a door. foreignContexts.add knows it by
// its type.
type quiet struct{ context.Context }
