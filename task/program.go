// SPDX-License-Identifier: Apache-2.0

package task

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"baton/internal/bridge"
)

// A SignalError is the cause with which [Main] cancels the main task after a signal.
type SignalError struct{ Signal os.Signal }

// Error returns the name of the signal.
func (s *SignalError) Error() string { return "signal: " + s.Signal.String() }

// exitCode returns the exit code of a process that sig has ended.
func exitCode(sig os.Signal) int {
	if n, ok := sig.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 1
}

// How Main handles signals.
const (
	nextSignal = 500 * time.Millisecond // a second signal counts from this time after the first
	heldAfter  = 5                      // how many seconds a step may run after a SIGTERM
	maxListed  = 20                     // how many tasks the report lists
)

// A program is the process of Main, and the context that Main passes to Run. A program
// that only waits for signals is deadlocked, so this context does not count as an external
// source. Run recognizes it by its begin method.
type program struct {
	context.Context
	cancel context.CancelCauseFunc
	baton  atomic.Pointer[baton] // set when Run begins

	// Each signal has its own channel, so that a flood of one cannot displace the other.
	interrupts, terminations chan os.Signal
}

func newProgram() *program {
	p := &program{interrupts: make(chan os.Signal, 1), terminations: make(chan os.Signal, 1)}
	p.Context, p.cancel = context.WithCancelCause(context.Background())
	signal.Notify(p.interrupts, os.Interrupt)
	signal.Notify(p.terminations, syscall.SIGTERM)
	return p
}

// begin is called by Run before main begins. From then on, next gives signals to the loop
// first.
func (p *program) begin(b *baton) {
	b.loop.Driver().BringSignals(os.Interrupt, syscall.SIGTERM)
	p.baton.Store(b)
}

// next returns the next signal that no handler of the loop has taken, or nil at the next
// tick.
func (p *program) next(tick <-chan time.Time) os.Signal {
	for {
		var sig os.Signal
		select {
		case sig = <-p.interrupts:
		case sig = <-p.terminations:
		case <-tick:
			return nil
		}
		if b := p.baton.Load(); b == nil || !b.loop.Driver().Signal(sig) {
			return sig
		}
	}
}

// watch handles the signals of Main. It runs on its own goroutine, because it must work
// while a task holds the baton.
func (p *program) watch() {
	first := &SignalError{p.next(nil)}
	firstAt := time.Now()
	p.cancel(first)
	p.held()
	second := time.NewTicker(time.Second)
	terminated := first.Signal == syscall.SIGTERM
	held := 0 // how many seconds one step has run
	for seconds := 0; ; {
		if sig := p.next(second.C); sig != nil {
			if time.Since(firstAt) >= nextSignal {
				bridge.Exit(exitCode(sig))
			}
			terminated = terminated || sig == syscall.SIGTERM
			continue
		}
		held++
		if !p.held() {
			held = 0
		}
		if seconds++; seconds == 1 {
			p.report(first, held)
		}
		if terminated && held >= heldAfter {
			fmt.Fprintf(os.Stderr, "%v: %s; the process ends without cleanup\n", first, p.baton.Load().describeHolder(held))
			bridge.Exit(exitCode(syscall.SIGTERM))
		}
	}
}

// held reports whether one step has held the loop since the last call of held.
func (p *program) held() bool {
	b := p.baton.Load()
	return b != nil && b.loop.Driver().Probe()
}

// report prints that the process has not ended, and why: the step that holds the loop or,
// printed by the loop, the tasks that have not ended.
func (p *program) report(first *SignalError, held int) {
	fmt.Fprintf(os.Stderr, "%v: the program has not ended yet; another signal ends it at once\n", first)
	switch b := p.baton.Load(); {
	case b == nil:
	case held > 0:
		fmt.Fprintf(os.Stderr, "\t%s\n", b.describeHolder(held))
	default:
		b.loop.Driver().Post((*taskReport)(b))
	}
}

// describeHolder returns a text about the step that holds the loop. Only a loop with a
// watchdog knows the name of the step. It is safe for concurrent use.
func (b *baton) describeHolder(seconds int) string {
	step := b.relay.NameOf(b.word.G())
	if step == "" {
		step = "a step"
	}
	return fmt.Sprintf("%s has held %v for %ds, and nothing else can run on that loop", step, b.loop, seconds)
}

// A taskReport is posted to the loop and prints the tasks that have not ended.
type taskReport baton

func (c *taskReport) Wake() {
	var lines strings.Builder
	tasks := (*baton)(c).tasks()
	for i, r := range tasks {
		if i == maxListed {
			fmt.Fprintf(&lines, "\tand %d more tasks\n", len(tasks)-i)
			break
		}
		fmt.Fprintf(&lines, "\t%s\n", r.report())
	}
	os.Stderr.WriteString(lines.String())
}
