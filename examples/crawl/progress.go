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

// watch keeps the progress line up to date until it is cancelled. It reads the fields of the
// crawler without a lock, because the workers do not run at the same time.
func (c *crawler) watch(ctx context.Context) error {
	if !c.Progress || c.Level < 0 || c.Level > 1 {
		return nil // Log is no terminal, -q is set, or log lines would overwrite it
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

// progress overwrites the progress line. The carriage return goes back to the beginning of the
// line, and all numbers have a fixed width, so that no characters are left behind.
func (c *crawler) progress(now time.Time) {
	c.inProgress = true
	elapsed := now.Sub(c.began).Seconds()
	fmt.Fprintf(c.Log, "\r%5.1f s  %5d done  %4d busy  %5d to do  %8.1f kB ",
		elapsed, c.done, c.busy, c.todo.Len(), float64(c.bytes)/1000)
}

// endProgress ends the progress line, if there is one. The next output begins on a new line.
func (c *crawler) endProgress() {
	if c.inProgress {
		fmt.Fprintln(c.Log)
		c.inProgress = false
	}
}

// log writes a message if the level is high enough.
func (c *crawler) log(level int, format string, args ...any) {
	if c.Level >= level {
		c.endProgress()
		fmt.Fprintf(c.Log, format+"\n", args...)
	}
}

// exception is the loop's exception handler. It logs the error at every level.
func (c *crawler) exception(_ *loop.Loop, e loop.Exception) {
	c.log(c.Level, "%v", e)
}

// terminal reports whether f is a terminal or another device. The progress line cannot
// overwrite itself in a file or a pipe.
func terminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
