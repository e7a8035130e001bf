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

// A SignalError is the cause with which Main cancels its tasks.
type SignalError struct{ Signal os.Signal }

// Error names the signal.
func (s *SignalError) Error() string { return "signal: " + s.Signal.String() }

// exitCode is that of a process which sig has ended.
func exitCode(sig os.Signal) int {
	if n, ok := sig.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 1
}

// What Main makes of signals, and when.
const (
	nextSignal = 500 * time.Millisecond // after the first one a second one counts
	heldAfter  = 5                      // seconds in one step end the process after a SIGTERM
	maxListed  = 20                     // tasks that have not ended
)

// A program is the process of Main, and the context under which that runs main.
// Signals alone do not keep a program from being deadlocked, so this context does
// not count as a door. Run knows it by its begin.
type program struct {
	context.Context
	cancel context.CancelCauseFunc
	baton  atomic.Pointer[baton] // of main's Run, once that has begun

	// Each signal has a channel, so that a flood of one cannot push out the other.
	interrupts, terminations chan os.Signal
}

func newProgram() *program {
	p := &program{interrupts: make(chan os.Signal, 1), terminations: make(chan os.Signal, 1)}
	p.Context, p.cancel = context.WithCancelCause(context.Background())
	signal.Notify(p.interrupts, os.Interrupt)
	signal.Notify(p.terminations, syscall.SIGTERM)
	return p
}

// begin is called by Run before main begins. Signals come to the loop by next from
// here on.
func (p *program) begin(b *baton) {
	b.loop.Driver().BringSignals(os.Interrupt, syscall.SIGTERM)
	p.baton.Store(b)
}

// next returns the next signal that no handler of the loop has taken, or nil when
// tick comes.
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

// watch is what Main does about signals. It runs on a goroutine of its own and not
// on the loop, for it must work while a task holds the baton.
func (p *program) watch() {
	first := &SignalError{p.next(nil)}
	firstAt := time.Now()
	p.cancel(first)
	p.held()
	second := time.NewTicker(time.Second)
	terminated := first.Signal == syscall.SIGTERM
	held := 0 // seconds in one step
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

// held reports whether one step has held the loop since the last call.
func (p *program) held() bool {
	b := p.baton.Load()
	return b != nil && b.loop.Driver().Probe()
}

// report says that the process has not ended, and what keeps it: the loop says which
// tasks, unless a step holds it.
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

// holding says which step holds the loop. Only a loop with a watchdog knows its name.
// Safe from every goroutine.
func (b *baton) describeHolder(seconds int) string {
	step := b.relay.NameOf(b.word.G())
	if step == "" {
		step = "a step"
	}
	return fmt.Sprintf("%s has held %v for %ds, and nothing else of it can run", step, b.loop, seconds)
}

// A rollCall has the loop print its tasks that have not ended.
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
