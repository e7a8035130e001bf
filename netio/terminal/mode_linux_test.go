// SPDX-License-Identifier: Apache-2.0

package terminal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"baton/await"
	"baton/netio/terminal"
	"baton/sim"
	"baton/task"
)

// isRaw reports whether a terminal passes each key on at once and shows no keys.
func isRaw(t unix.Termios) bool { return t.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) == 0 }

// In raw mode the program reads each key at once. The mode is restored, however fn ends.
func TestRawRestoresMode(t *testing.T) {
	oops := errors.New("oops")
	for what, end := range map[string]func(ctx context.Context) error{
		"returns": func(context.Context) error { return nil },
		"fails":   func(context.Context) error { return oops },
		"panics":  func(context.Context) error { panic(oops) },
		"is cancelled": func(ctx context.Context) error {
			task.ScopeOf(ctx).Cancel(oops)
			return await.Forever(ctx)
		},
	} {
		t.Run(what, func(t *testing.T) {
			everywhere(t, func(ctx context.Context, t *testing.T) {
				p := openPTY(t)
				before := p.termios(t)
				in := must(terminal.NewInput(ctx, p.slave))(t)
				defer in.Close()
				func() {
					defer func() { _ = recover() }()
					task.Scope(ctx, func(ctx context.Context) error {
						return terminal.Raw(ctx, p.slave, func(ctx context.Context) error {
							if !isRaw(p.termios(t)) {
								t.Error("the terminal is not raw")
							}
							p.types(t, "\x03") // Ctrl-C
							buf := make([]byte, 10)
							if n, err := in.Read(ctx, buf); string(buf[:n]) != "\x03" || err != nil {
								t.Errorf("Read = %q, %v", buf[:n], err)
							}
							return end(ctx)
						})
					})
				}()
				if p.termios(t) != before {
					t.Error("the mode was not restored")
				}
			})
		})
	}
}

// In nested raw modes, the inner Raw restores raw mode and the outer Raw the original mode.
func TestNestedRaw(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		p := openPTY(t)
		err := terminal.Raw(ctx, p.slave, func(ctx context.Context) error {
			err := terminal.Raw(ctx, p.slave, func(context.Context) error { return nil })
			if !isRaw(p.termios(t)) {
				t.Error("the inner Raw has ended raw mode")
			}
			return err
		})
		want(t, "Raw", err, nil)
		if isRaw(p.termios(t)) {
			t.Error("the terminal is still raw")
		}
	})
}

// A file that is not a terminal has neither a mode nor a size.
func TestFileThatIsNoTerminal(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		null := must(os.Open(os.DevNull))(t)
		defer null.Close()
		_, sizeErr := terminal.SizeOf(null)
		var sizesErr error
		for _, sizesErr = range terminal.Sizes(ctx, null) {
		}
		for what, err := range map[string]error{
			"Raw":    terminal.Raw(ctx, null, func(context.Context) error { panic("called") }),
			"SizeOf": sizeErr,
			"Sizes":  sizesErr,
		} {
			if want(t, what, err, syscall.ENOTTY); !errors.As(err, new(*fs.PathError)) {
				t.Errorf("%s: %#v, want a *fs.PathError", what, err)
			}
		}
		if terminal.IsTerminal(null) || !terminal.IsTerminal(openPTY(t).slave) {
			t.Error("IsTerminal is wrong for the null device or for a terminal")
		}
	})
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		want(t, "Raw", terminal.Raw(ctx, os.Stdin, nil), errors.ErrUnsupported)
		_, err := terminal.ReadPassword(ctx, "")
		want(t, "ReadPassword", err, errors.ErrUnsupported)
	})
}

// ReadPassword reads a line that the terminal does not show.
func TestReadPassword(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		p := openPTY(t)
		before := p.termios(t)
		in := must(terminal.NewInput(ctx, p.slave))(t)
		defer in.Close()
		password := task.Start(ctx, in.ReadPassword)
		task.Yield(ctx) // it waits
		p.types(t, "secret\n")
		if got, err := password.Await(ctx); got != "secret" || err != nil {
			t.Errorf("ReadPassword = %q, %v", got, err)
		}
		if p.termios(t) != before {
			t.Error("the mode was not restored")
		}
		p.types(t, "shown\n")
		if line, err := in.ReadLine(ctx); line != "shown" || err != nil {
			t.Errorf("ReadLine = %q, %v", line, err)
		}
		if seen := p.sees(t, "shown\r\n"); seen != "\r\nshown\r\n" {
			t.Errorf("the user sees %q", seen)
		}
		cancelled := task.Start(ctx, in.ReadPassword)
		task.Yield(ctx)
		cancelled.Cancel(nil)
		_, err := cancelled.Await(ctx)
		if want(t, "ReadPassword", err, context.Canceled); p.termios(t) != before {
			t.Error("the mode was not restored after a cancel")
		}
	})
}

// From a pipe, ReadPassword reads a line as ReadLine does.
func TestReadPasswordOfPipe(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		r, w, err := os.Pipe()
		want(t, "Pipe", err, nil)
		defer r.Close()
		must(w.WriteString("secret\n"))(t)
		w.Close()
		in := must(terminal.NewInput(ctx, r))(t)
		defer in.Close()
		if got, err := in.ReadPassword(ctx); got != "secret" || err != nil {
			t.Errorf("ReadPassword = %q, %v", got, err)
		}
	})
}

// Sizes returns each size of the window once.
func TestSizes(t *testing.T) {
	everywhere(t, func(ctx context.Context, t *testing.T) {
		p := openPTY(t)
		next := []terminal.Size{{80, 24}, {132, 24}, {132, 50}}
		p.resize(t, next[0])
		var got []terminal.Size
		for s, err := range terminal.Sizes(ctx, p.slave) {
			want(t, "Sizes", err, nil)
			if got = append(got, s); len(got) == len(next) {
				break
			}
			p.resize(t, next[len(got)])
			// The kernel sends no signal, because this is not the terminal of the process.
			want(t, "Kill", syscall.Kill(syscall.Getpid(), unix.SIGWINCH), nil)
		}
		if fmt.Sprint(got) != fmt.Sprint(next) {
			t.Errorf("the sizes are %v, want %v", got, next)
		}
		if s, err := terminal.SizeOf(p.slave); s != next[2] || err != nil {
			t.Errorf("SizeOf = %v, %v", s, err)
		}
		waits := task.StartErr(ctx, func(ctx context.Context) (err error) {
			for _, err = range terminal.Sizes(ctx, p.slave) {
			}
			return err
		})
		task.Yield(ctx)
		waits.Cancel(nil)
		_, err := waits.Await(ctx)
		want(t, "Sizes", err, context.Canceled)
	})
}

func init() {
	raw := func(fn func(ctx context.Context) error) func(ctx context.Context) error {
		return func(ctx context.Context) error { return terminal.Raw(ctx, os.Stdin, fn) }
	}
	programs["waits"] = raw(func(ctx context.Context) error {
		fmt.Println("ready")
		return await.Sleep(ctx, time.Hour)
	})
	programs["never switches"] = raw(func(ctx context.Context) error {
		fmt.Println("ready")
		select {}
	})
	programs["panics"] = raw(func(ctx context.Context) error {
		fmt.Println("ready")
		task.Go(ctx, func(ctx context.Context) error { panic("oops") })
		return await.Sleep(ctx, time.Hour)
	})
	programs["continues"] = raw(func(ctx context.Context) error {
		signals := await.Signals(ctx, syscall.SIGCONT)
		fmt.Println("ready")
		for _, err := range signals {
			if err != nil {
				return err
			}
			fmt.Println("continued")
		}
		return nil
	})
	programs["asks"] = func(ctx context.Context) error {
		password, err := terminal.ReadPassword(ctx, "password: ")
		fmt.Println(password)
		return err
	}
}

// A session is a program with its own terminal.
type session struct {
	pty
	cmd    *exec.Cmd
	output *bufio.Reader
	before unix.Termios
}

// begin starts a program, and waits until it is ready.
func begin(t *testing.T, program string) *session {
	t.Helper()
	s := &session{pty: openPTY(t), cmd: exec.Command(os.Args[0])}
	s.before = s.termios(t)
	r, w, err := os.Pipe()
	want(t, "Pipe", err, nil)
	t.Cleanup(func() { r.Close() })
	s.output = bufio.NewReader(r)
	s.cmd.Env = append(os.Environ(), programVar+"="+program)
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.slave, w, w
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	want(t, "Start", s.cmd.Start(), nil)
	w.Close()
	guard := time.AfterFunc(time.Minute, func() { s.cmd.Process.Kill() })
	t.Cleanup(func() { guard.Stop(); s.cmd.Process.Kill(); s.cmd.Wait() }) // a failed test leaves it
	return s
}

// says waits until the program prints the wanted line. It ignores other lines, such as reports
// of the watchdog.
func (s *session) says(t *testing.T, want string) {
	t.Helper()
	for line := ""; line != want+"\n"; {
		var err error
		if line, err = s.output.ReadString('\n'); err != nil {
			t.Fatalf("the program printed %q, %v, want %q", line, err, want)
		}
	}
}

// The mode is restored when a program in raw mode is ended by a signal, by a second signal, or
// by a panic.
func TestModeIsRestoredWhenProgramEnds(t *testing.T) {
	interrupt, terminate := syscall.SIGINT, syscall.SIGTERM
	for _, c := range []struct {
		program string
		signals []syscall.Signal
		status  string
	}{
		{"waits", []syscall.Signal{interrupt}, "exit status 130"},
		{"waits", []syscall.Signal{terminate}, "exit status 143"},
		{"never switches", []syscall.Signal{interrupt, interrupt}, "exit status 130"},
		{"panics", nil, "exit status 2"},
	} {
		t.Run(fmt.Sprint(c.program, c.signals), func(t *testing.T) {
			s := begin(t, c.program)
			s.says(t, "ready")
			if len(c.signals) > 0 && !isRaw(s.termios(t)) {
				t.Error("the terminal is not raw")
			}
			for i, sig := range c.signals {
				if i > 0 { // Main is ready for the second signal when it has printed this
					s.says(t, "signal: interrupt: the program has not ended yet; another signal ends it at once")
				}
				want(t, "Signal", s.cmd.Process.Signal(sig), nil)
			}
			for {
				if _, err := s.output.ReadString('\n'); err != nil {
					break
				}
			}
			if err := s.cmd.Wait(); err == nil || err.Error() != c.status {
				t.Errorf("the program ended with %v, want %s", err, c.status)
			}
			if s.termios(t) != s.before {
				t.Error("the mode was not restored")
			}
		})
	}
}

// The mode is restored while a program is stopped.
func TestModeIsRestoredWhileStopped(t *testing.T) {
	s := begin(t, "continues")
	s.says(t, "ready")
	for range 2 {
		want(t, "Signal", s.cmd.Process.Signal(syscall.SIGTSTP), nil)
		var status syscall.WaitStatus
		must(syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WUNTRACED, nil))(t)
		if !status.Stopped() || s.termios(t) != s.before {
			t.Fatalf("the status is %#x, the mode was restored: %v", status, s.termios(t) == s.before)
		}
		want(t, "Signal", s.cmd.Process.Signal(syscall.SIGCONT), nil)
		s.says(t, "continued")
		if !isRaw(s.termios(t)) {
			t.Error("the terminal is not raw again")
		}
	}
	want(t, "Kill", s.cmd.Process.Signal(syscall.SIGTERM), nil)
	s.cmd.Wait()
	if s.termios(t) != s.before {
		t.Error("the mode was not restored")
	}
}

// The function ReadPassword reads from the terminal of the process.
func TestReadPasswordFromTerminalOfProcess(t *testing.T) {
	s := begin(t, "asks")
	if seen := s.sees(t, "password: "); seen != "password: " {
		t.Errorf("the user sees %q", seen)
	}
	if s.termios(t).Lflag&unix.ECHO != 0 {
		t.Error("the terminal shows what is typed after the prompt")
	}
	s.types(t, "secret\n")
	s.says(t, "secret")
	want(t, "Wait", s.cmd.Wait(), nil)
	if seen := s.sees(t, "\n"); strings.Contains(seen, "secret") || s.termios(t) != s.before {
		t.Errorf("the user sees %q; the mode was restored: %v", seen, s.termios(t) == s.before)
	}
}
