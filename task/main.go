// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Main is the body of func main: it runs main like [Run] and then ends the process. It
// never returns.
//
// Exit codes: Main exits with 0 if main and its tasks return nil, also after a signal. If
// main returns an error, Main prints it to standard error and exits with 1. If main returns
// only the cancel of a signal, Main prints the signal and exits with 128 plus its number
// (130, 143), as shells and supervisors expect. If main returns another error after a
// signal, Main prints both and exits with 1. A panic in a task ends the process as usual,
// after all tasks were cancelled and have ended.
//
// To exit with 0 after a signal, start the tasks in a [Scope], and return nil if errors.As
// finds a *SignalError in the error of the Scope or of a server.
//
// Signals: the first SIGINT or SIGTERM cancels main, with a *SignalError as the cause, so
// that the tasks can clean up. One second later, Main prints which tasks have not ended,
// and what each waits for. A second signal ends the process at once, with 128 plus its
// number. A signal less than half a second after the first does not count, because some
// programs, such as timeout(1), send two signals together. If one step holds the loop for
// five seconds after a SIGTERM, no task can clean up. Main then prints the name of the
// step and ends the process.
//
// While main's loop has a handler for one of the signals (loop.Loop.AddSignalHandler), or
// a task receives it by await.Signals, Main does not handle that signal. The signals that
// Main handles do not count as something that could wake a task: a program that waits only
// for a signal is deadlocked without a handler or await.Signals.
func Main(main func(ctx context.Context) error) { Runner{}.Main(main) }

// Main is like the function [Main], with the options of the Runner.
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

// end ends the process, after main has returned err. The cause of ctx says whether there
// was a signal.
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

// matches reports whether err is s, a cancel with the cause s, or what ctx.Err returns
// then.
func (s *SignalError) matches(err error) bool {
	c, canceled := err.(*Canceled)
	return canceled && errors.Is(c, s) || err == error(s) || err == context.Canceled
}
