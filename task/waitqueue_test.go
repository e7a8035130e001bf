// SPDX-License-Identifier: Apache-2.0

package task_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"baton/task"
)

// Random waits, wake-ups and cancels on a queue have the same results as on a plain list.
func TestWaitQueueAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	mustRun(t, func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context) error {
			var q task.WaitQueue
			var model, woken, ended []*task.Ref
			for range 2000 {
				switch rng.IntN(4) {
				case 0, 1:
					model = append(model, task.Go(ctx, func(ctx context.Context) error {
						err := q.Wait(ctx, task.Text("a test"))
						if err == nil {
							ended = append(ended, task.Self(ctx))
						}
						return err
					}))
					turns(ctx, 2)
				case 2:
					if r := q.WakeOne(); len(model) == 0 && r != nil || len(model) > 0 && r != model[0] {
						t.Errorf("WakeOne = %v", r)
					} else if r != nil {
						woken, model = append(woken, r), model[1:]
						if rng.IntN(2) == 0 {
							r.Cancel(nil) // too late
						}
					}
				case 3:
					if len(model) > 0 {
						i := rng.IntN(len(model))
						model[i].Cancel(nil)
						model = slices.Delete(model, i, i+1)
					}
				}
				if q.Len() != len(model) || len(model) > 0 && q.First() != model[0] || len(model) == 0 && q.First() != nil {
					t.Fatalf("seed %d: Len = %d, First = %v, want %v", seed, q.Len(), q.First(), model)
				}
			}
			if n := q.WakeAll(); n != len(model) {
				t.Errorf("WakeAll = %d, want %d", n, len(model))
			}
			turns(ctx, 2)
			if woken = append(woken, model...); !slices.Equal(ended, woken) {
				t.Errorf("seed %d: woken in the order %v, ended in the order %v", seed, woken, ended)
			}
			return nil
		})
	})
}

// Waiting reports the Reason that was passed to WaitQueue.Wait, and its owners.
func TestWaitingReportsReasonOfQueue(t *testing.T) {
	mustRun(t, func(ctx context.Context) error {
		var q task.WaitQueue
		owner := task.Self(ctx)
		r := task.Go(ctx, func(ctx context.Context) error { return q.Wait(ctx, owned{owner}) })
		turns(ctx, 2)
		w, ok := r.Waiting()
		if !ok || w.Reason != "a thing" || len(w.On) != 1 || w.On[0] != owner.String() {
			t.Errorf("Waiting = %v, %v", w, ok)
		}
		if _, ok := owner.Waiting(); ok {
			t.Error("Waiting of a running task = true")
		}
		q.WakeAll()
		return nil
	})
}

type owned struct{ by *task.Ref }

func (owned) Reason() string        { return "a thing" }
func (o owned) Owners() []*task.Ref { return []*task.Ref{o.by} }
