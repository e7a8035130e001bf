// SPDX-License-Identifier: Apache-2.0

package sim_test

import (
	"context"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"baton/loop"
	"baton/loop/poll"
	"baton/sim"
	"baton/task"
)

// failingVar is the environment variable that makes TestFailing run its tests.
const failingVar = "BATON_TEST_FAILING"

// never is longer than the terminator's stallTime.
const never = 255 * 365 * 24 * time.Hour

func forever(ctx context.Context) error {
	var q task.WaitQueue
	return q.Wait(ctx, task.Text("nothing"))
}

func forAnHour(ctx context.Context) error {
	return task.ParkUntil(ctx, task.Now(ctx).Add(time.Hour))
}

// failing are tests that fail, or end early, each in its own way.
var failing = []struct {
	name   string
	fn     func(ctx context.Context, t *testing.T)
	passes bool
	output []string // regular expressions
}{
	{"FailNow in main", func(ctx context.Context, t *testing.T) {
		task.Go(ctx, func(ctx context.Context) error {
			err := forever(ctx)
			t.Log("cleaned up")
			return err
		})
		task.Yield(ctx)
		task.Yield(ctx)
		t.Fatal("in main")
		t.Log("went on")
	}, false, []string{"in main", "cleaned up", `-sim\.seed=\d+`}},
	{"FailNow in a child", func(ctx context.Context, t *testing.T) {
		task.Go(ctx, func(ctx context.Context) error {
			t.Fatal("in a child")
			return nil
		})
		forever(ctx)
		t.Log("cleaned up")
	}, false, []string{"in a child", "cleaned up", `-sim\.seed=\d+`}},
	{"FailNow in a callback", func(ctx context.Context, t *testing.T) {
		task.Loop(ctx).CallSoon(func() { t.Fatal("in a callback") })
		forever(ctx)
		t.Log("cleaned up")
	}, false, []string{"in a callback", "cleaned up"}},
	{"FailNow in a task of StartReady", func(ctx context.Context, t *testing.T) {
		task.StartReady(ctx, func(context.Context, func(int)) error {
			t.Fatal("in a service")
			return nil
		})
	}, false, []string{"in a service"}},
	{"SkipNow", func(ctx context.Context, t *testing.T) {
		task.Go(ctx, func(context.Context) error {
			t.SkipNow()
			return nil
		})
		forever(ctx)
	}, true, nil}, // testing/synctest reports a skipped bubble as passed
	{"Error", func(ctx context.Context, t *testing.T) { t.Error("wrong") }, false, []string{"wrong", `-sim\.seed=\d+`}},
	{"deadlock of main, which ignores the error", func(ctx context.Context, t *testing.T) {
		forever(ctx)
	}, false, []string{"deadlock", `has waited \S+ for nothing`, `-sim\.seed=\d+`}},
	{"deadlock of a child", func(ctx context.Context, t *testing.T) {
		task.Go(ctx, forever).SetName("waiter")
	}, false, []string{"deadlock", `waiter.* has waited \S+ for nothing`, `-sim\.seed=\d+`}},
	{"an error without an owner", func(ctx context.Context, t *testing.T) {
		task.Go(ctx, func(context.Context) error { return errOops })
	}, false, []string{"oops", `-sim\.seed=\d+`}},
	{"panic", func(ctx context.Context, t *testing.T) {
		task.Go(ctx, func(context.Context) error { panic(errOops) }).SetName("bomb")
		t.Log("before the panic")
	}, false, []string{"before the panic", `bomb.* panicked: oops`, `fail_test\.go`, `-sim\.seed=\d+`}},
	{"panic in a callback", func(ctx context.Context, t *testing.T) {
		task.Loop(ctx).CallSoon(func() { panic(errOops) })
		task.Yield(ctx)
	}, false, []string{`panicked: oops`, `-sim\.seed=\d+`}},
	{"panic whose error is dropped", func(ctx context.Context, t *testing.T) {
		_ = task.Scope(ctx, func(ctx context.Context) error {
			task.Go(ctx, func(context.Context) error { panic(errOops) })
			return nil
		})
	}, false, []string{`panicked: oops`, `-sim\.seed=\d+`}},
	{"a panic with the test's own exception handler", func(ctx context.Context, t *testing.T) {
		task.Loop(ctx).SetExceptionHandler(func(_ *loop.Loop, e loop.Exception) { t.Log("handled:", e) })
		task.Loop(ctx).CallSoon(func() { panic(errOops) })
		task.Yield(ctx)
	}, true, []string{`handled: .* panicked: oops`}},
	{"deadlock over the network", func(ctx context.Context, t *testing.T) {
		ln, err := task.Loop(ctx).Poller().Listen(&net.UnixAddr{Name: "a", Net: "unix"}, poll.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		task.Go(ctx, func(ctx context.Context) error {
			_, err := do(ctx, poll.Op{Kind: poll.Accept, Handle: ln})
			t.Log("cleaned up:", err)
			return err
		}).SetName("waiter")
		forAnHour(ctx)
	}, false, []string{"deadlock", `waiter.* has waited 1h0m0s for accept\n`, `has waited 0s for the tasks of its scope, on task 2 \(waiter\)\n`, "cleaned up", `-sim\.seed=\d+`}},
	{"deadlock of main over the network", func(ctx context.Context, t *testing.T) {
		ln, err := task.Loop(ctx).Poller().Listen(&net.UnixAddr{Name: "a", Net: "unix"}, poll.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		do(ctx, poll.Op{Kind: poll.Accept, Handle: ln})
	}, false, []string{"deadlock", `has waited 0s for accept`, `-sim\.seed=\d+`}},
	{"deadlock over the network, of several tasks", func(ctx context.Context, t *testing.T) {
		for _, d := range []time.Duration{time.Second, time.Hour, 1, 3 * time.Second} {
			task.Go(ctx, func(ctx context.Context) error {
				ln, err := task.Loop(ctx).Poller().Listen(&net.UnixAddr{Name: d.String(), Net: "unix"}, poll.ListenOptions{})
				if err != nil {
					return err
				}
				task.ParkUntil(ctx, task.Now(ctx).Add(d))
				_, err = do(ctx, poll.Op{Kind: poll.Accept, Handle: ln})
				return err
			})
		}
	}, false, []string{`59m59s for accept\n`, `0s for accept\n`, `1h0m0s for accept\n`, `59m57s for accept\n`}},
	{"deadlock under a shield", func(ctx context.Context, t *testing.T) {
		ln, err := task.Loop(ctx).Poller().Listen(&net.UnixAddr{Name: "a", Net: "unix"}, poll.ListenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, release := task.Shield(ctx, -1)
		defer release()
		do(ctx, poll.Op{Kind: poll.Accept, Handle: ln})
	}, false, []string{`has waited 0s for accept`, `-sim\.seed=\d+`}},
	{"deadlock with an open portal", func(ctx context.Context, t *testing.T) {
		portal := task.OpenPortal(ctx)
		go portal.Do(forever)
		forever(ctx)
		t.Log("cleaned up")
	}, false, []string{"deadlock", `has waited \S+ for nothing`, "cleaned up", `-sim\.seed=\d+`}},
	{"a sleep of centuries", func(ctx context.Context, t *testing.T) {
		if err := task.ParkUntil(ctx, task.Now(ctx).Add(never+time.Hour)); err != nil {
			t.Error(err)
		}
	}, true, nil},
	{"deadlock outside the loop", func(ctx context.Context, t *testing.T) {
		<-make(chan int)
	}, false, []string{"deadlock", `-sim\.seed=\d+`}},
	{"sleep with the baton", func(ctx context.Context, t *testing.T) {
		task.Go(ctx, forAnHour)
		task.Go(ctx, func(ctx context.Context) error {
			task.Yield(ctx)
			<-time.After(time.Hour)
			return nil
		}).SetName("sleeper")
	}, false, []string{`task 3 \(sleeper\).* held the baton for 1h0m0s`, `-sim\.seed=\d+`}},
	{"short sleeps in one turn", func(ctx context.Context, t *testing.T) {
		for range 3 {
			task.Go(ctx, func(context.Context) error {
				<-time.After(100 * time.Millisecond)
				return nil
			})
		}
	}, false, []string{`some of task \d .*, task \d .* held the baton for 300ms`, `-sim\.seed=\d+`}},
	{"sleep in a callback", func(ctx context.Context, t *testing.T) {
		task.Loop(ctx).CallSoon(func() { <-time.After(time.Hour) })
		task.Yield(ctx)
		task.Yield(ctx)
	}, false, []string{`sim_test.* held the baton for 1h0m0s`}},
	{"sleep in the last step", func(ctx context.Context, t *testing.T) {
		<-time.After(250 * time.Millisecond)
	}, false, []string{`task 1 \(TestFailing/sleep_in_the_last_step\) held the baton for 250ms`}},
	{"sleep without the baton", func(ctx context.Context, t *testing.T) {
		go func() { <-time.After(time.Hour) }()
		done := make(chan struct{})
		task.Loop(ctx).RunInExecutor(func() { <-time.After(time.Hour) }, func() { close(done) })
		for range 3 {
			<-time.After(249 * time.Millisecond)
			task.Yield(ctx)
		}
		forAnHour(ctx)
		forAnHour(ctx)
		<-done
	}, true, nil},
	{"sleep of an abandoned function", func(ctx context.Context, t *testing.T) {
		began := make(chan struct{})
		job := task.Loop(ctx).RunInExecutor(func() {
			close(began)
			<-time.After(4 * time.Second)
		}, nil)
		<-began
		job.Abandon()
	}, true, nil},
	{`draws (it's "odd" | $HOME)/1`, func(ctx context.Context, t *testing.T) {
		t.Error("drew", task.Loop(ctx).Rand().Uint64())
	}, false, []string{`drew \d+`, `to replay this schedule, run: go test baton/sim -run '.*' -sim\.seed=\d+\n`}},
	{"name of main", func(ctx context.Context, t *testing.T) {
		t.Error(task.Self(ctx))
	}, false, []string{`task 1 \(TestFailing/name_of_main\)`}},
	{"passes", func(ctx context.Context, t *testing.T) { forAnHour(ctx) }, true, nil},
}

// TestFailing runs the failing tests. TestFailureReports starts it in separate processes.
func TestFailing(t *testing.T) {
	if os.Getenv(failingVar) == "" {
		return
	}
	for _, test := range failing {
		t.Run(test.name, func(t *testing.T) { sim.Test(t, test.fn) })
	}
	t.Run("goes on", func(t *testing.T) { sim.Config{}.Late(t, keepTimeRunning) })
	t.Run("goes on in order", func(t *testing.T) { sim.Config{FIFO: true}.Late(t, keepTimeRunning) })
	t.Run("spins", func(t *testing.T) { sim.Config{}.Late(t, keepYielding) })
	t.Run("spins in order", func(t *testing.T) { sim.Config{FIFO: true}.Late(t, keepYielding) })
	t.Run("sleeps in order", func(t *testing.T) {
		sim.Config{FIFO: true}.Test(t, func(context.Context, *testing.T) { <-time.After(time.Hour) })
	})
}

// keepTimeRunning waits for the network without end, while another task keeps the clock running.
func keepTimeRunning(ctx context.Context, t *testing.T) {
	task.Go(ctx, func(ctx context.Context) error {
		for {
			if err := task.ParkUntil(ctx, task.Now(ctx).Add(time.Second)); err != nil {
				t.Log("cleaned up")
				return err
			}
		}
	}).SetName("pulse")
	ln, err := task.Loop(ctx).Poller().Listen(&net.UnixAddr{Name: "a", Net: "unix"}, poll.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	do(ctx, poll.Op{Kind: poll.Accept, Handle: ln})
}

// keepYielding sleeps, while another task yields again and again, so that no time passes.
func keepYielding(ctx context.Context, t *testing.T) {
	task.Go(ctx, func(ctx context.Context) error {
		for {
			if err := task.Yield(ctx); err != nil {
				t.Log("cleaned up")
				return err
			}
		}
	}).SetName("spinner")
	forAnHour(ctx)
}

// Failing tests fail with the reports that they should have, and others pass.
func TestFailureReports(t *testing.T) {
	for _, test := range failing {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			output, passed := runFailing(t, test.name)
			if passed != test.passes {
				t.Errorf("passed: %v, want %v:\n%s", passed, test.passes, output)
			}
			for _, want := range test.output {
				if !regexp.MustCompile(want).MatchString(output) {
					t.Errorf("the output does not match %q:\n%s", want, output)
				}
			}
			if strings.Contains(output, "went on") || strings.Contains(output, "goleak") {
				t.Errorf("the test went on after its end, or leaked goroutines:\n%s", output)
			}
		})
	}
}

// If the time of a test is over, the test fails. The report names first the task that keeps
// the test going, and then the tasks that wait.
func TestTimeIsOver(t *testing.T) {
	waits := map[string]string{ // what main waits for, and further waits
		"pulse":   `accept\n.*pulse\) has waited 0s for its timer\n`,
		"spinner": `its timer\n`,
	}
	for name, who := range map[string]string{
		"goes on":          "pulse",
		"goes on in order": "pulse",
		"spins":            "spinner",
		"spins in order":   "spinner",
	} {
		output, passed := runFailing(t, name)
		if passed || strings.Contains(output, "panicked") {
			t.Errorf("%s: passed: %v\n%s", name, passed, output)
		}
		main := "TestFailing/" + strings.ReplaceAll(name, " ", "_")
		for _, want := range []string{
			`(?m)^sim: the time of ` + main + ` is nearly over; to replay its schedule, run: go test .* -sim.seed=\d+$`,
			`(?m)^sim: the time of the test is over, after .*s of virtual time, and the test goes on: task 2 \(` + who + `\) ran last\n` +
				`.*task 1 \(` + main + `\) has waited .* for ` + waits[who],
			`terminator\.go:\d+: sim: the time of the test is over`,
			"cleaned up",
			`-sim\.seed=\d+`,
		} {
			if !regexp.MustCompile(want).MatchString(output) {
				t.Errorf("%s: the output does not match %q:\n%s", name, want, output)
			}
		}
	}
}

// With FIFO order, too, the report names the task that blocks while it holds the baton.
func TestBlockingStepWithFIFO(t *testing.T) {
	output, passed := runFailing(t, "sleeps in order")
	if want := "task 1 (TestFailing/sleeps_in_order) held the baton for 1h0m0s"; passed || !strings.Contains(output, want) {
		t.Errorf("passed: %v, want %q:\n%s", passed, want, output)
	}
}

// A failing test prints the seed that it ran with.
func TestSeedFlagIsUsed(t *testing.T) {
	output, _ := runFailing(t, "Error", "-sim.seed=4711")
	if !strings.Contains(output, "-sim.seed=4711") {
		t.Errorf("the output does not have the seed of the flag:\n%s", output)
	}
}

// The command that a failing test prints runs this test alone, with the same schedule.
func TestReplayCommand(t *testing.T) {
	output, _ := runFailing(t, `draws (it's "odd" | $HOME)/1`)
	first := drawn(t, output)
	_, command, found := strings.Cut(output, "to replay this schedule, run: ")
	command, _, ended := strings.Cut(command, "\n")
	if !found || !ended {
		t.Fatalf("the output has no replay command:\n%s", output)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Dir = ".." // any directory of the module
	cmd.Env = append(os.Environ(), failingVar+"=yes")
	again, err := cmd.CombinedOutput()
	if err == nil || drawn(t, string(again)) != first || strings.Count(string(again), "--- FAIL") != 2 {
		t.Errorf("%s: %v, want it to draw %s:\n%s", command, err, first, again)
	}
}

// drawn returns the number that the test "draws" logged.
func drawn(t *testing.T, output string) string {
	t.Helper()
	match := regexp.MustCompile(`drew \d+`).FindString(output)
	if match == "" {
		t.Fatalf("no number was drawn:\n%s", output)
	}
	return match
}

// runFailing runs one test of TestFailing in a separate process.
func runFailing(t *testing.T, name string, flags ...string) (output string, passed bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pattern := "^TestFailing$/^" + regexp.QuoteMeta(strings.ReplaceAll(name, " ", "_")) + "$"
	cmd := exec.CommandContext(ctx, os.Args[0], append([]string{"-test.v", "-test.run=" + pattern}, flags...)...)
	cmd.Env = append(os.Environ(), failingVar+"=yes")
	out, err := cmd.CombinedOutput()
	if !strings.Contains(string(out), strings.ReplaceAll(name, " ", "_")) {
		t.Errorf("%q did not run:\n%s", name, out)
	}
	return string(out), err == nil
}
