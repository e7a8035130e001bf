// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Main is for func main: it runs main like [Run] and ends the process; it does not
// return. The first SIGINT or SIGTERM cancels main with a *SignalError as the cause,
// so that it can clean up. A second one ends the process at once; it counts from half
// a second after the first, for some programs, as timeout(1), send two together. A
// second after the first signal Main says which tasks have not ended, and what each
// waits for. If one step holds the loop for five seconds after a SIGTERM, Main says
// which, and ends the process: nothing else can clean up.
//
// A handler of loop.Loop.AddSignalHandler, of main's loop, takes the place of all this
// for its signal, until it is removed, and so does a task that receives the signal by
// await.Signals. That a signal may come does not keep a program from being deadlocked:
// one that waits for nothing else needs one of the two.
//
// A clean end exits with 0; an error is printed to standard error and exits with 1.
// After a signal it prints the signal, and the error if that says more than the cancel.
// If it does not, and if a signal has ended the process, Main exits with 128 plus the
// signal's number (130, 143), by which shells and supervisors know a program that a
// signal has ended. To exit with 0 after a signal, wrap the tasks in [Scope], drop its
// cancel error and return nil. A panic in a task ends the process as any panic does,
// after the other tasks have been cancelled and have ended.
func Main(main func(ctx context.Context) error) { Runner{}.Main(main) }

// Main is like the function Main, with what the Runner brings.
func (r Runner) Main(main func(ctx context.Context) error) {
	p := newProgram()
	go p.watch()
	err := ErrGoexit
	defer func() {
		if v := recover(); v != nil {
			panic(v)
		}
		end(p, err) // main called runtime.Goexit
	}()
	err = r.Run(p, main)
	end(p, err)
}

// end ends the process as err demands. ctx tells whether there was a signal.
func end(ctx context.Context, err error) {
	if err == nil {
		os.Exit(0)
	}
	code := 1
	if s, signaled := context.Cause(ctx).(*SignalError); signaled {
		if isOnly(err, s.matches) {
			err, code = s, exitCode(s.Signal)
		} else {
			err = errors.Join(s, err)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(code)
}

// matches reports whether err is s, a cancel by it, or what ctx.Err returns then.
func (s *SignalError) matches(err error) bool {
	c, canceled := err.(*Canceled)
	return canceled && errors.Is(c, s) || err == error(s) || err == context.Canceled
}
