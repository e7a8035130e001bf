// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/sim"
	"baton/task"
)

// Errors of the exception handler and log messages begin on a new line below the progress line.
func TestMessagesBeginOnANewLine(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		var said strings.Builder
		cfg := defaults()
		cfg.Log, cfg.Progress = &said, true
		c := newCrawler(cfg)
		task.Loop(ctx).SetExceptionHandler(c.exception)
		c.began = task.Now(ctx)
		err := task.Scope(ctx, func(ctx context.Context) error {
			watcher := task.Go(ctx, c.watch)
			defer watcher.Cancel(nil)
			if err := await.Sleep(ctx, 10*time.Millisecond); err != nil {
				return err
			}
			task.Loop(ctx).CallExceptionHandler(loop.Exception{Message: "a", Err: errors.New("b")})
			c.log(0, "c")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for line := range strings.Lines(said.String()) {
			if strings.HasPrefix(line, "\r") {
				line = "progress\n"
			}
			lines = append(lines, line)
		}
		if want := []string{"progress\n", "a: b\n", "c\n", "progress\n"}; !slices.Equal(lines, want) {
			t.Errorf("the lines are %q, want %q", lines, want)
		}
	})
}

// Without a terminal, and with -q or -vv, there is no progress line.
func TestNoProgressLine(t *testing.T) {
	for name, set := range map[string]func(*config){
		"no terminal": func(c *config) { c.Progress = false },
		"-q":          func(c *config) { c.Level = -1 },
		"-vv":         func(c *config) { c.Level = 2 },
	} {
		t.Run(name, func(t *testing.T) {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var said strings.Builder
				cfg := defaults()
				cfg.Log, cfg.Progress = &said, true
				set(&cfg)
				crawlSite(ctx, t, cfg)
				if strings.Contains(said.String(), "\r") {
					t.Errorf("there is a progress line in %.200q", &said)
				}
			})
		})
	}
}

// Files and pipes are no terminals.
func TestTerminal(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if terminal(file) || terminal(w) || !terminal(null) {
		t.Errorf("terminal is %v for a file, %v for a pipe, %v for a device", terminal(file), terminal(w), terminal(null))
	}
}
