// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"baton/await"
	"baton/loop"
	"baton/task"
)

// watch keeps the progress line up to date until it is cancelled. It needs no
// word from the workers: whenever it runs, they are between two steps.
func (c *crawler) watch(ctx context.Context) error {
	if !c.Progress || c.Level < 0 || c.Level > 1 {
		return nil // it has no place, nobody wants it, or the log would bury it
	}
	defer c.endProgress()
	for {
		c.progress(task.Now(ctx))
		if err := await.Sleep(ctx, 50*time.Millisecond); err != nil {
			c.progress(task.Now(ctx))
			return err
		}
	}
}

// progress writes the progress line over itself: the carriage return goes back to
// its beginning, and all numbers have a width, so that nothing is left behind.
func (c *crawler) progress(now time.Time) {
	c.inProgress = true
	elapsed := now.Sub(c.began).Seconds()
	fmt.Fprintf(c.Log, "\r%5.1f s  %5d done  %4d busy  %5d to do  %8.1f kB ",
		elapsed, c.done, c.busy, c.todo.Len(), float64(c.bytes)/1000)
}

// endProgress ends the progress line, if there is one: what follows it begins a
// line of its own.
func (c *crawler) endProgress() {
	if c.inProgress {
		fmt.Fprintln(c.Log)
		c.inProgress = false
	}
}

// log says what goes on to those who asked for so much.
func (c *crawler) log(level int, format string, args ...any) {
	if c.Level >= level {
		c.endProgress()
		fmt.Fprintf(c.Log, format+"\n", args...)
	}
}

// exception is the loop's exception handler: errors that have no caller to go to
// are told to everybody.
func (c *crawler) exception(_ *loop.Loop, e loop.Exception) {
	c.log(c.Level, "%v", e)
}

// terminal reports whether f is a terminal, or at least a device. In a file or a
// pipe, a line that is written over itself is left behind every time.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
