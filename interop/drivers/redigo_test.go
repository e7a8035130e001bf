// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// redigoOnTask uses one connection on a task: a redis.Conn does its I/O on the goroutine of its
// caller.
func redigoOnTask(ctx context.Context, address string) (int, error) {
	conn, err := redis.DialContext(ctx, "tcp", address, redis.DialContextFunc(netio.Dialer{}.DialFunc(ctx)))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	return redis.Int(conn.Do("INCR", "n")) // the task parks; other tasks run
}

// On a task, one connection executes commands and pipelines. The timeouts of redigo work: they are
// deadlines of the connection.
func TestRedigoOnTask(t *testing.T) {
	address := startRedis(t)
	within(t, func(ctx context.Context) error {
		for want := 1; want <= 3; want++ {
			if n, err := redigoOnTask(ctx, address); n != want || err != nil {
				t.Errorf("INCR returned %d, %v, want %d", n, err, want)
			}
		}
		conn, err := redis.DialContext(ctx, "tcp", address, redis.DialContextFunc(netio.Dialer{}.DialFunc(ctx)))
		if err != nil {
			return err
		}
		defer conn.Close()
		for i := range 1000 {
			if err := conn.Send("RPUSH", "list", i); err != nil {
				return err
			}
		}
		if err := conn.Flush(); err != nil {
			return err
		}
		for i := range 1000 {
			if n, err := redis.Int(conn.Receive()); n != i+1 || err != nil {
				t.Fatalf("answer %d: %d, %v", i, n, err)
			}
		}
		_, err = redis.DoWithTimeout(conn, 50*time.Millisecond, "BLPOP", "empty", 0)
		if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
			t.Errorf("a command that takes longer than its timeout: %v", err)
		}
		return nil
	})
}

// One task publishes and another one subscribes, each on its own connection.
func TestRedigoSubscribe(t *testing.T) {
	address := startRedis(t)
	within(t, func(ctx context.Context) error {
		dial := redis.DialContextFunc(netio.Dialer{}.DialFunc(ctx))
		sub, err := redis.DialContext(ctx, "tcp", address, dial)
		if err != nil {
			return err
		}
		news := redis.PubSubConn{Conn: sub}
		defer news.Close()
		if err := news.Subscribe("news"); err != nil {
			return err
		}
		if _, ok := news.Receive().(redis.Subscription); !ok {
			t.Error("Subscribe was not confirmed")
		}
		publishing := task.Start(ctx, func(ctx context.Context) (int, error) {
			conn, err := redis.DialContext(ctx, "tcp", address, dial)
			if err != nil {
				return 0, err
			}
			defer conn.Close()
			for i := range 100 {
				if _, err := conn.Do("PUBLISH", "news", i); err != nil {
					return i, err
				}
			}
			return 100, nil
		})
		for i := range 100 {
			if m, ok := news.Receive().(redis.Message); !ok || string(m.Data) != fmt.Sprint(i) {
				t.Fatalf("message %d: %v, %v", i, m, ok)
			}
		}
		_, err = publishing.Await(ctx)
		return err
	})
}

// Callers of a pool wait for each other, so its methods are called outside the loop.
func TestRedigoPool(t *testing.T) {
	address := startRedis(t)
	within(t, func(ctx context.Context) error {
		dial := redis.DialContextFunc(netio.Dialer{}.DialFunc(ctx))
		pool := &redis.Pool{
			MaxActive: 2, MaxIdle: 2, Wait: true,
			DialContext: func(ctx context.Context) (redis.Conn, error) { return redis.DialContext(ctx, "tcp", address, dial) },
		}
		defer pool.Close()
		var all []*task.Task[int]
		for range 20 {
			all = append(all, task.Start(ctx, func(ctx context.Context) (int, error) {
				return await.Blocking(ctx, func(ctx context.Context) (int, error) {
					conn, err := pool.GetContext(ctx)
					if err != nil {
						return 0, err
					}
					defer conn.Close()
					return redis.Int(redis.DoContext(conn, ctx, "INCR", "n"))
				})
			}))
		}
		got, err := await.All(ctx, all...)
		sum := 0
		for _, n := range got {
			sum += n
		}
		if sum != 210 {
			t.Errorf("20 increments returned %v", got)
		}
		return err
	})
}

// A cancel of the task ends a command on that task. Outside the loop, a cancel or a timeout of ctx
// ends DoContext.
func TestRedigoCancel(t *testing.T) {
	address := startRedis(t)
	within(t, func(ctx context.Context) error {
		dial := redis.DialContextFunc(netio.Dialer{}.DialFunc(ctx))
		pop := func(ctx context.Context, do func(conn redis.Conn) error) (struct{}, error) {
			conn, err := redis.DialContext(ctx, "tcp", address, dial)
			if err != nil {
				return struct{}{}, err
			}
			defer conn.Close()
			return struct{}{}, do(conn)
		}
		onTask := task.Start(ctx, func(ctx context.Context) (struct{}, error) {
			return pop(ctx, func(conn redis.Conn) error {
				_, err := conn.Do("BLPOP", "empty", 0)
				return err
			})
		})
		blocking := func(ctx context.Context) (struct{}, error) {
			return await.Blocking(ctx, func(ctx context.Context) (struct{}, error) {
				return pop(ctx, func(conn redis.Conn) error {
					_, err := redis.DoContext(conn, ctx, "BLPOP", "empty", 0)
					return err
				})
			})
		}
		offLoop := task.Start(ctx, blocking)
		if err := await.Sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		for _, popping := range []*task.Task[struct{}]{onTask, offLoop} {
			popping.Cancel(nil)
			if _, err := popping.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancel: %v", err)
			}
		}
		err := await.Timeout(ctx, 20*time.Millisecond, func(ctx context.Context) error {
			_, err := blocking(ctx)
			return err
		})
		if e, ok := errors.AsType[net.Error](err); !ok || !e.Timeout() {
			t.Errorf("a timeout: %v", err)
		}
		return nil
	})
}
