// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// newGoRedis returns a client whose connections the loop serves.
func newGoRedis(ctx context.Context, address string) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr:                  address,
		Dialer:                netio.Dialer{}.DialFunc(ctx), // connections live as long as ctx
		ContextTimeoutEnabled: true,                         // without it calls ignore the deadline of their ctx
	})
}

// increment calls Redis outside the loop: go-redis waits for its own goroutines.
func increment(ctx context.Context, client *redis.Client, key string) (int64, error) {
	return await.Blocking(ctx, func(ctx context.Context) (int64, error) {
		return client.Incr(ctx, key).Result()
	})
}

// Commands and pipelines of many tasks at once share the connections of a small pool.
func TestGoRedis(t *testing.T) {
	address := startRedis(t)
	within(t, func(ctx context.Context) error {
		client := newGoRedis(ctx, address)
		defer client.Close()
		const tasks, rounds = 20, 50
		err := task.Scope(ctx, func(ctx context.Context) error {
			for range tasks {
				task.Go(ctx, func(ctx context.Context) error {
					for range rounds {
						if _, err := increment(ctx, client, "n"); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
		if err != nil {
			return err
		}
		return on(ctx, func(ctx context.Context) error {
			if n, err := client.Get(ctx, "n").Int(); n != tasks*rounds || err != nil {
				t.Errorf("the counter is %d, %v", n, err)
			}
			large := strings.Repeat("0123456789", 300_000)
			if err := client.Set(ctx, "large", large, 0).Err(); err != nil {
				return err
			}
			if got, err := client.Get(ctx, "large").Result(); got != large || err != nil {
				t.Errorf("a large value: %d bytes, %v", len(got), err)
			}
			if _, err := client.Get(ctx, "missing").Result(); err != redis.Nil {
				t.Errorf("a missing key: %v, want redis.Nil", err)
			}
			got, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
				for i := range 1000 {
					p.RPush(ctx, "list", i)
				}
				p.LLen(ctx, "list")
				return nil
			})
			if err != nil || len(got) != 1001 || got[1000].(*redis.IntCmd).Val() != 1000 {
				t.Errorf("a pipeline: %d results, %v", len(got), err)
			}
			_, err = client.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, "a", 1, 0)
				p.LPush(ctx, "a", 1)
				return nil
			})
			if err == nil || !strings.Contains(err.Error(), "WRONGTYPE") {
				t.Errorf("a transaction with a wrong type: %v", err)
			}
			return nil
		})
	})
}

// The messages of a subscription arrive on a channel of go-redis. A task waits for them with
// await.Receive.
func TestGoRedisSubscribe(t *testing.T) {
	address := startRedis(t)
	within(t, func(ctx context.Context) error {
		client := newGoRedis(ctx, address)
		defer client.Close()
		sub := client.Subscribe(ctx, "news") // does not wait
		defer sub.Close()
		if err := on(ctx, func(ctx context.Context) error {
			_, err := sub.Receive(ctx) // the confirmation
			return err
		}); err != nil {
			return err
		}
		messages := sub.Channel()
		publishing := task.Start(ctx, func(ctx context.Context) (int, error) {
			return await.Blocking(ctx, func(ctx context.Context) (int, error) {
				for i := range 100 {
					if err := client.Publish(ctx, "news", i).Err(); err != nil {
						return i, err
					}
				}
				return 100, nil
			})
		})
		for i := range 100 {
			m, ok, err := await.Receive(ctx, messages)
			if err != nil {
				return err
			}
			if !ok || m.Payload != fmt.Sprint(i) {
				t.Fatalf("message %d: %v, %v", i, m, ok)
			}
		}
		_, err := publishing.Await(ctx)
		return err
	})
}

// A timeout around a call ends the call only with ContextTimeoutEnabled. Otherwise go-redis uses
// only its own ReadTimeout, and a call that reads returns when Redis has answered.
func TestGoRedisTimeout(t *testing.T) {
	address := startRedis(t)
	for _, enabled := range []bool{true, false} {
		t.Run(fmt.Sprint("ContextTimeoutEnabled ", enabled), func(t *testing.T) {
			within(t, func(ctx context.Context) error {
				client := redis.NewClient(&redis.Options{
					Addr:                  address,
					Dialer:                netio.Dialer{}.DialFunc(ctx),
					ContextTimeoutEnabled: enabled,
					MaxRetries:            -1,
				})
				defer client.Close()
				other := newGoRedis(ctx, address)
				defer other.Close()
				if _, err := increment(ctx, client, "n"); err != nil { // dials
					return err
				}
				limit := time.Hour
				if enabled {
					limit = 50 * time.Millisecond
				}
				timed, release := await.WithTimeout(ctx, limit)
				defer release()
				popping := task.Start(timed, func(ctx context.Context) (error, error) {
					return on(ctx, func(ctx context.Context) error { return client.BLPop(ctx, 0, "empty").Err() }), nil
				})
				if !enabled {
					if err := untilBlocked(ctx, other, 1); err != nil {
						return err
					}
					await.Reschedule(timed, task.Now(ctx))
					if err := on(ctx, func(ctx context.Context) error { return other.LPush(ctx, "empty", "x").Err() }); err != nil {
						return err
					}
				}
				err, _ := popping.Await(ctx)
				if late := errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded); late != enabled || err != nil && !late {
					t.Errorf("the call returned %v", err)
				}
				_, err = increment(ctx, client, "n")
				return err
			})
		})
	}
}

// A cancel ends a call that has not begun or that waits for a connection. While go-redis reads, it
// ignores a cancel: the call returns after the answer or the ReadTimeout. A task that cannot wait
// so long uses await.Abandon.
func TestGoRedisCancel(t *testing.T) {
	address := startRedis(t)
	within(t, func(ctx context.Context) error {
		client := redis.NewClient(&redis.Options{
			Addr: address, Dialer: netio.Dialer{}.DialFunc(ctx), ContextTimeoutEnabled: true, MaxRetries: -1, PoolSize: 1,
		})
		defer client.Close()
		pop := func(ctx context.Context) (struct{}, error) {
			return struct{}{}, client.BLPop(ctx, 0, "empty").Err()
		}
		done := make(chan error, 1)
		popping := task.Start(ctx, func(ctx context.Context) (struct{}, error) {
			return await.Abandon(ctx, pop, func(_ struct{}, err error) { done <- err })
		})
		other := newGoRedis(ctx, address)
		defer other.Close()
		if err := untilBlocked(ctx, other, 1); err != nil {
			return err
		}
		waiting := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return await.Blocking(ctx, pop) })
		for client.PoolStats().PendingRequests == 0 {
			if err := await.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		for _, c := range []struct {
			name string
			task *task.Task[struct{}]
		}{{"waits for a connection", waiting}, {"is abandoned", popping}} {
			c.task.Cancel(nil)
			if _, err := c.task.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("a call that %s: %v", c.name, err)
			}
		}
		select {
		case err := <-done:
			t.Errorf("the abandoned call has returned before its answer: %v", err)
		default:
		}
		if err := on(ctx, func(ctx context.Context) error { return other.LPush(ctx, "empty", "x").Err() }); err != nil {
			return err
		}
		err, _, failed := await.Receive(ctx, done)
		if err != nil {
			t.Errorf("the abandoned call returned %v with its answer", err)
		}
		return failed
	})
}

// untilBlocked waits until n clients of the server are waiting in a command.
func untilBlocked(ctx context.Context, client *redis.Client, n int) error {
	return on(ctx, func(ctx context.Context) error {
		want := fmt.Sprintf("blocked_clients:%d\r\n", n)
		for {
			info, err := client.Info(ctx, "clients").Result()
			if err != nil || strings.Contains(info, want) {
				return err
			}
		}
	})
}

// When the ctx of DialFunc has ended, the connections are closed and calls fail.
func TestGoRedisAfterLifetime(t *testing.T) {
	address := startRedis(t)
	within(t, func(ctx context.Context) error {
		var client *redis.Client
		if err := task.Scope(ctx, func(ctx context.Context) error {
			client = newGoRedis(ctx, address)
			_, err := increment(ctx, client, "n")
			return err
		}); err != nil {
			return err
		}
		defer client.Close()
		if _, err := increment(ctx, client, "n"); err == nil || !errors.As(err, new(*net.OpError)) {
			t.Errorf("a call after the lifetime: %v", err)
		}
		return nil
	})
}
