// SPDX-License-Identifier: Apache-2.0

package await_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"baton/await"
	"baton/loop"
	"baton/sim"
	"baton/task"
)

// A runner is a function in a race. It takes some time and then returns word, or an error
// if word is empty. A stubborn runner ignores cancels.
type runner struct {
	takes    time.Duration
	word     string
	stubborn bool
}

// A track records what happens in a race.
type track struct{ events []string }

func (tr *track) fns(runners []runner) []func(ctx context.Context) (string, error) {
	var fns []func(ctx context.Context) (string, error)
	for i, r := range runners {
		fns = append(fns, func(ctx context.Context) (string, error) {
			began := task.Now(ctx)
			note := func(what string) {
				tr.events = append(tr.events, fmt.Sprintf("%d %s", i, what))
			}
			note("starts")
			if r.stubborn {
				shielded, release := task.Shield(ctx, -1)
				defer release()
				ctx = shielded
			}
			err := await.Sleep(ctx, r.takes)
			switch {
			case err != nil:
				note("is cancelled")
				return "", err
			case r.word == "":
				note(fmt.Sprintf("fails after %v", task.Now(ctx).Sub(began)))
				return "", fmt.Errorf("runner %d failed", i)
			}
			note("succeeds")
			return r.word, nil
		})
	}
	return fns
}

// The first success wins. The other functions are cancelled, and First waits for them. Late
// results are disposed of, and starts may be staggered.
func TestFirst(t *testing.T) {
	const s = time.Second
	cases := []struct {
		name     string
		delay    time.Duration
		runners  []runner
		want     string // "" if all fail
		took     time.Duration
		events   []string
		disposed []string
	}{
		{"one", 0, []runner{{takes: s, word: "a"}}, "a", s, []string{"0 starts", "0 succeeds"}, nil},
		{"the fastest", 0, []runner{{takes: 3 * s, word: "a"}, {takes: s, word: "b"}}, "b", s,
			[]string{"0 starts", "1 starts", "1 succeeds", "0 is cancelled"}, nil},
		{"a failure is no success", 0, []runner{{takes: s}, {takes: 2 * s, word: "b"}}, "b", 2 * s,
			[]string{"0 starts", "1 starts", "0 fails after 1s", "1 succeeds"}, nil},
		{"all fail", 0, []runner{{takes: 2 * s}, {takes: s}}, "", 2 * s,
			[]string{"0 starts", "1 starts", "1 fails after 1s", "0 fails after 2s"}, nil},
		{"a late success", 0, []runner{{takes: s, word: "a"}, {takes: 3 * s, word: "b", stubborn: true}}, "a", 3 * s,
			[]string{"0 starts", "1 starts", "0 succeeds", "1 succeeds"}, []string{"b"}},

		{"staggered, the first in time", 2 * s, []runner{{takes: s, word: "a"}, {takes: s, word: "b"}}, "a", s,
			[]string{"0 starts", "0 succeeds"}, nil},
		{"staggered, the second is faster", 2 * s, []runner{{takes: 9 * s, word: "a"}, {takes: s, word: "b"}}, "b", 3 * s,
			[]string{"0 starts", "1 starts", "1 succeeds", "0 is cancelled"}, nil},
		{"staggered, a failure starts the next", 5 * s, []runner{{takes: s}, {takes: s, word: "b"}}, "b", 2 * s,
			[]string{"0 starts", "0 fails after 1s", "1 starts", "1 succeeds"}, nil},
		{"staggered, all fail", 5 * s, []runner{{takes: s}, {takes: s}}, "", 2 * s,
			[]string{"0 starts", "0 fails after 1s", "1 starts", "1 fails after 1s"}, nil},

		{"one by one", -1, []runner{{takes: 100 * s}, {takes: s, word: "b"}, {takes: s, word: "c"}}, "b", 101 * s,
			[]string{"0 starts", "0 fails after 1m40s", "1 starts", "1 succeeds"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sim.Config{FIFO: true}.Test(t, func(ctx context.Context, t *testing.T) {
				began := task.Now(ctx)
				var tr track
				var disposed []string
				race := await.Race[string]{Delay: c.delay, Dispose: func(s string) { disposed = append(disposed, s) }}
				got, err := race.First(ctx, tr.fns(c.runners)...)
				if got != c.want || (err == nil) != (c.want != "") {
					t.Errorf("First = %q, %v, want %q", got, err, c.want)
				}
				took(ctx, t, began, c.took)
				if !slices.Equal(tr.events, c.events) || !slices.Equal(disposed, c.disposed) {
					t.Errorf("events %q, disposed %q, want %q and %q", tr.events, disposed, c.events, c.disposed)
				}
			})
		})
	}
}

func TestFirstJoinsErrorsInOrder(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		errs := []error{errors.New("a"), errors.New("b"), errors.New("c")}
		var fns []func(ctx context.Context) (int, error)
		for i, err := range errs {
			fns = append(fns, func(ctx context.Context) (int, error) {
				await.Sleep(ctx, time.Duration(3-i))
				return 0, err
			})
		}
		_, err := await.First(ctx, fns...)
		if want := errors.Join(errs...); err == nil || err.Error() != want.Error() {
			t.Errorf("First = %v, want %v", err, want)
		}
		panics(t, func() { await.First[int](ctx) }, "no functions")
	})
}

// A cancel of ctx reaches all functions, and First returns it. A success after the cancel
// still counts, even while a function has not been started.
func TestSuccessAfterCancelOfFirst(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Minute, -1} {
		for _, stubborn := range []bool{false, true} {
			sim.Test(t, func(ctx context.Context, t *testing.T) {
				var tr track
				got, disposed := "", 0
				err := await.Timeout(ctx, time.Second, func(ctx context.Context) (err error) {
					race := await.Race[string]{Delay: delay, Dispose: func(string) { disposed++ }}
					got, err = race.First(ctx, tr.fns([]runner{{takes: 2 * time.Second, word: "a", stubborn: stubborn}, {takes: time.Hour}})...)
					return err
				})
				if stubborn && (got != "a" || err != nil) || !stubborn && !errors.Is(err, context.DeadlineExceeded) || disposed != 0 {
					t.Errorf("delay %v: First = %q, %v, %d results disposed of", delay, got, err, disposed)
				}
			})
		}
	}
}

// After a cancel, the error is only that cancel, and does not join one error per function.
func TestFirstReturnsOnlyTheCancel(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		for _, delay := range []time.Duration{0, time.Minute, -1} {
			timed, release := await.WithTimeout(ctx, time.Second)
			var tr track
			_, err := await.Race[string]{Delay: delay}.First(timed, tr.fns([]runner{{takes: time.Hour}, {takes: time.Hour}})...)
			if _, ok := err.(*task.Canceled); !ok {
				t.Errorf("First = %#v, want the *task.Canceled", err)
			}
			release()
		}
	})
}

// A success does not hide a panic. The result of the success is disposed of.
func TestSuccessDoesNotHidePanic(t *testing.T) {
	sim.Test(t, func(ctx context.Context, t *testing.T) {
		disposed := 0
		task.Loop(ctx).SetExceptionHandler(func(*loop.Loop, loop.Exception) {}) // of the panic
		race := await.Race[int]{Dispose: func(v int) { disposed += v }}
		_, err := race.First(ctx,
			func(ctx context.Context) (int, error) { return 1, nil },
			func(ctx context.Context) (int, error) {
				await.Sleep(ctx, time.Second)
				panic("oops")
			})
		var p *task.PanicError
		if !errors.As(err, &p) || p.Value != "oops" || disposed != 1 {
			t.Errorf("First = %v, %d results disposed of", err, disposed)
		}
	})
}
