// SPDX-License-Identifier: Apache-2.0

//go:build unix

package process_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"baton/loop"
	"baton/netio/process"
	"baton/task"
)

// A recorder is a Protocol that records its calls.
type recorder struct {
	calls   []string
	data    [3]bytes.Buffer
	made    func(t *process.Transport)
	lost    bool
	changed task.WaitQueue
}

func (d *recorder) note(format string, args ...any) {
	d.calls = append(d.calls, fmt.Sprintf(format, args...))
	d.changed.WakeAll()
}

func (d *recorder) ConnectionMade(t *process.Transport) {
	d.note("made")
	if d.made != nil {
		d.made(t)
	}
}

func (d *recorder) PipeDataReceived(fd int, data []byte) {
	d.data[fd].Write(data)
	d.changed.WakeAll()
}

func (d *recorder) PipeConnectionLost(fd int, err error) { d.note("pipe %d: %v", fd, err) }
func (d *recorder) ProcessExited()                       { d.note("exited") }
func (d *recorder) ConnectionLost()                      { d.lost = true; d.note("lost") }

// wait waits until a condition holds.
func (d *recorder) wait(ctx context.Context, t *testing.T, holds func() bool) {
	t.Helper()
	for !holds() {
		if err := d.changed.Wait(ctx, task.Text("a call of the protocol")); err != nil {
			t.Fatal(err)
		}
	}
}

// check checks that "made" was the first call, "lost" the last, and that there was each of the
// wanted calls once.
func (d *recorder) check(t *testing.T, want ...string) {
	t.Helper()
	if len(d.calls) == 0 || d.calls[0] != "made" || d.calls[len(d.calls)-1] != "lost" {
		t.Errorf("the calls are %q", d.calls)
	}
	got := slices.Sorted(slices.Values(d.calls))
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Errorf("the calls are %q, want %q in some order", d.calls, want)
	}
}

// A protocol receives the output of the child and its end. ConnectionLost comes after the exit
// and the end of each pipe.
func TestProtocolCalls(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		d := &recorder{made: func(tr *process.Transport) {
			tr.Pipe(0).Write([]byte("in"))
			tr.Pipe(0).Close()
		}}
		cmd := shell("cat; echo err >&2; exit 7")
		tr := must(cmd.Connect(ctx, d))(t)
		if tr.Cmd() != cmd || cmd.Process == nil {
			t.Error("the transport does not know its command")
		}
		d.wait(ctx, t, func() bool { return d.lost })
		d.check(t, "made", "pipe 0: <nil>", "pipe 1: <nil>", "pipe 2: <nil>", "exited", "lost")
		if out, errs := d.data[1].String(), d.data[2].String(); out != "in" || errs != "err\n" {
			t.Errorf("received %q and %q", out, errs)
		}
		if err := cmd.Wait(ctx); status(err) != 7 {
			t.Errorf("Wait: %v, want the status 7", err)
		}
	})
}

// A child may end before its pipes, if another process holds them. Pipes may end before their
// child.
func TestProtocolOrderOfExitAndPipes(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		d := &recorder{}
		must(shell("sleep 60 & echo $!").Connect(ctx, d))(t)
		d.wait(ctx, t, func() bool { return slices.Contains(d.calls, "exited") && d.data[1].Len() > 0 })
		if d.lost {
			t.Error("ConnectionLost was called before the end of the pipes")
		}
		kill(t, d.data[1].String())
		d.wait(ctx, t, func() bool { return d.lost })

		d = &recorder{}
		tr := must(shell("exec <&- >&- 2>&-; exec sleep 60").Connect(ctx, d))(t)
		d.wait(ctx, t, func() bool { return len(d.calls) == 4 })
		d.calls = d.calls[:1]
		want(t, "Kill", tr.Cmd().Kill(), nil)
		d.wait(ctx, t, func() bool { return d.lost })
		d.check(t, "made", "exited", "lost")
	})
}

// Close ends the child, and so does the end of the scope.
func TestCloseAndScopeEndChildOfProtocol(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		d := &recorder{}
		tr := must(process.Command("cat").Connect(ctx, d))(t)
		tr.Close()
		tr.Close()
		d.wait(ctx, t, func() bool { return d.lost })
		d.check(t, "made", "pipe 0: <nil>", "pipe 1: <nil>", "pipe 2: <nil>", "exited", "lost")

		d = &recorder{}
		over := errors.New("over")
		err := task.Scope(ctx, func(ctx context.Context) error {
			tr = must(process.Command("sleep", "60").Connect(ctx, d))(t)
			return over
		})
		want(t, "the scope", err, over)
		if !d.lost || status(tr.Cmd().Wait(ctx)) != -int(syscall.SIGTERM) {
			t.Errorf("after the scope: lost %v, the status %v", d.lost, tr.Cmd().ProcessState)
		}
		_, err = process.Command("no-such-program").Connect(ctx, &recorder{})
		want(t, "a program that does not exist", err, exec.ErrNotFound)
	})
}

// A writer is a recorder that is a protocol.FlowController, too.
type writer struct{ recorder }

func (w *writer) PauseWriting()  { w.note("pause") }
func (w *writer) ResumeWriting() { w.note("resume") }

// A protocol that writes faster than the child reads is paused, and later resumed. The child
// waits for a line on its descriptor 3 before it reads its input.
func TestFastProtocolIsPaused(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		w := &writer{}
		w.made = func(tr *process.Transport) {
			tr.Pipe(0).Write(make([]byte, 1<<20))
			if tr.Pipe(0).WritePaused() != slices.Contains(w.calls, "pause") {
				t.Errorf("the calls are %q, and writing is paused: %v", w.calls, tr.Pipe(0).WritePaused())
			}
		}
		r, start, err := os.Pipe()
		want(t, "Pipe", err, nil)
		defer r.Close()
		defer start.Close()
		c := shell("read line <&3; exec wc -c")
		c.ExtraFiles = []*os.File{r}
		tr := must(c.Connect(ctx, w))(t)
		if !tr.Pipe(0).WritePaused() {
			t.Error("writing is not paused, although the child has read nothing")
		}
		must(start.WriteString("\n"))(t)
		w.wait(ctx, t, func() bool { return slices.Contains(w.calls, "resume") })
		tr.Pipe(0).Close()
		w.wait(ctx, t, func() bool { return w.lost })
		w.check(t, "made", "pause", "resume", "pipe 0: <nil>", "pipe 1: <nil>", "pipe 2: <nil>", "exited", "lost")
		if out := strings.TrimSpace(w.data[1].String()); out != "1048576" {
			t.Errorf("the child has read %s bytes", out)
		}
	})
}

// A panic in a method of the protocol is reported, and ends the child.
func TestProtocolPanics(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		var reported []string
		task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) {
			reported = append(reported, fmt.Sprint(e.Err))
		})
		defer task.Loop(ctx).SetExceptionHandler(nil)
		d := &recorder{made: func(*process.Transport) { panic("in ConnectionMade") }}
		must(process.Command("sleep", "60").Connect(ctx, d))(t)
		d.wait(ctx, t, func() bool { return d.lost })
		if len(reported) != 1 || !strings.Contains(reported[0], "in ConnectionMade") {
			t.Errorf("reported: %q", reported)
		}
	})
}

// A cancelled Connect leaves no child.
func TestCancelledConnectLeavesNoChild(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		for yields := range 12 {
			d := &recorder{}
			cmd := process.Command("sleep", "60")
			err := task.Scope(ctx, func(ctx context.Context) error {
				connect := task.StartErr(ctx, func(ctx context.Context) error {
					_, err := cmd.Connect(ctx, d)
					return err
				})
				for range yields {
					task.Yield(ctx)
				}
				connect.Cancel(nil)
				_, err := connect.Await(ctx)
				if err == nil {
					return errors.New("over") // ends the scope
				}
				return nil
			})
			if cmd.Process != nil && cmd.ProcessState == nil {
				t.Errorf("after %d yields the child still runs; the error was %v", yields, err)
			}
			if len(d.calls) > 0 && !d.lost {
				t.Errorf("after %d yields the calls are %q", yields, d.calls)
			}
		}
	})
}

// A Connect that is cancelled by ConnectionMade fails. The protocol still gets all its calls.
func TestConnectIsCancelledByConnectionMade(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		var connect *task.Task[struct{}]
		d := &recorder{made: func(*process.Transport) { connect.Cancel(nil) }}
		connect = task.StartErr(ctx, func(ctx context.Context) error {
			_, err := process.Command("sleep", "60").Connect(ctx, d)
			return err
		})
		if _, err := connect.Await(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("Connect: %v, want context.Canceled", err)
		}
		d.wait(ctx, t, func() bool { return d.lost })
		d.check(t, "made", "pipe 0: <nil>", "pipe 1: <nil>", "pipe 2: <nil>", "exited", "lost")
	})
}

// A cancel of the scope ends the pipes even if Connect is shielded from it. ConnectionMade is the
// first call nevertheless, whenever the cancel comes.
func TestShieldedConnectOfCancelledScope(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		for turns := range 12 {
			d := &recorder{}
			cmd := process.Command("sleep", "60")
			err := task.Scope(ctx, func(ctx context.Context) error {
				task.Go(ctx, func(ctx context.Context) error {
					shielded, release := task.Shield(ctx, 0)
					defer release()
					_, err := cmd.Connect(shielded, d)
					return err
				})
				for cmd.Process == nil {
					task.Yield(ctx)
				}
				for range turns {
					task.Yield(ctx)
				}
				task.ScopeOf(ctx).Cancel(nil)
				return nil
			})
			if err != nil || len(d.calls) != 6 || d.calls[0] != "made" || d.calls[5] != "lost" {
				t.Errorf("a cancel after %d turns: %v; calls %q", turns, err, d.calls)
			}
		}
	})
}
