// SPDX-License-Identifier: Apache-2.0

package locks_test

import (
	"context"
	"strconv"
	"sync"
	"testing"

	"baton/locks"
	"baton/task"
)

// inTask runs a benchmark inside a task of a real loop.
func inTask(b *testing.B, fn func(ctx context.Context)) {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		fn(ctx)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkMutex(b *testing.B) {
	b.Run("locks", func(b *testing.B) {
		inTask(b, func(ctx context.Context) {
			var mu locks.Mutex
			n := 0
			for b.Loop() {
				if err := mu.Lock(ctx); err != nil {
					b.Fatal(err)
				}
				n++
				mu.Unlock()
			}
		})
	})
	b.Run("sync", func(b *testing.B) {
		var mu sync.Mutex
		n := 0
		for b.Loop() {
			mu.Lock()
			n++
			mu.Unlock()
		}
	})
}

// BenchmarkQueue puts 128 items into a queue with space for them and takes them out again.
// One operation is one item.
func BenchmarkQueue(b *testing.B) {
	const size = 128
	b.Run("locks", func(b *testing.B) {
		inTask(b, func(ctx context.Context) {
			q := locks.NewQueue[int](size)
			for i := 0; i < b.N; i += size {
				for j := range size {
					if err := q.Put(ctx, j); err != nil {
						b.Fatal(err)
					}
				}
				for range size {
					if _, err := q.Get(ctx); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	})
	b.Run("channel", func(b *testing.B) {
		ch := make(chan int, size)
		for i := 0; i < b.N; i += size {
			for j := range size {
				ch <- j
			}
			for range size {
				<-ch
			}
		}
	})
}

// BenchmarkQueueTasks passes items from a producer to a consumer through a queue with space
// for 128. One operation is one item.
func BenchmarkQueueTasks(b *testing.B) {
	const size = 128
	b.Run("locks", func(b *testing.B) {
		inTask(b, func(ctx context.Context) {
			q := locks.NewQueue[int](size)
			task.Go(ctx, func(ctx context.Context) error {
				for i := range b.N {
					if err := q.Put(ctx, i); err != nil {
						return err
					}
				}
				q.Shutdown(false)
				return nil
			})
			for _, err := range q.All(ctx) {
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	})
	b.Run("channel", func(b *testing.B) {
		ch := make(chan int, size)
		go func() {
			for i := range b.N {
				ch <- i
			}
			close(ch)
		}()
		for range ch {
		}
	})
}

// BenchmarkBarrier makes tasks wait at a barrier many times. One operation is one Wait. Its
// cost should not grow with the number of tasks.
func BenchmarkBarrier(b *testing.B) {
	for _, parties := range []int{8, 1024} {
		b.Run(strconv.Itoa(parties), func(b *testing.B) {
			inTask(b, func(ctx context.Context) {
				barrier := locks.NewBarrier(parties)
				err := task.Scope(ctx, func(ctx context.Context) error {
					for range parties {
						task.Go(ctx, func(ctx context.Context) error {
							for i := 0; i < b.N; i += parties {
								if _, err := barrier.Wait(ctx); err != nil {
									return err
								}
							}
							return nil
						})
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}
