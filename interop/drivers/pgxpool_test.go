// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// newPool returns a pool whose connections the loop serves. The pool has its own goroutines, and
// Close waits for them: so all methods of the pool are called outside the loop.
func newPool(ctx context.Context, url string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = 4
	config.ConnConfig.DialFunc = netio.Dialer{}.DialFunc(ctx) // connections live as long as ctx
	return await.Blocking(ctx, func(context.Context) (*pgxpool.Pool, error) {
		// The pool keeps its ctx, and the ctx of Blocking ends with this call.
		return pgxpool.NewWithConfig(context.Background(), config)
	})
}

// double queries PostgreSQL on a connection of the pool.
func double(ctx context.Context, pool *pgxpool.Pool, n int) (twice int, err error) {
	return await.Blocking(ctx, func(ctx context.Context) (int, error) {
		err := pool.QueryRow(ctx, "select 2 * $1::int", n).Scan(&twice)
		return twice, err
	})
}

// Many tasks share the pool. The pool still works after calls have timed out.
func TestPgxpool(t *testing.T) {
	url := startPostgres(t)
	within(t, func(ctx context.Context) error {
		pool, err := newPool(ctx, url)
		if err != nil {
			return err
		}
		ask := func(ctx context.Context) {
			for i := range 200 {
				task.Go(ctx, func(ctx context.Context) error {
					n, err := double(ctx, pool, i)
					if n != 2*i {
						t.Errorf("twice %d is %d", i, n)
					}
					return err
				})
			}
		}
		for range 2 {
			if err := task.Scope(ctx, func(ctx context.Context) error { ask(ctx); return nil }); err != nil {
				return err
			}
			for range 8 { // four sleep, and four wait for a connection
				task.Go(ctx, func(ctx context.Context) error {
					err := await.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error {
						return on(ctx, func(ctx context.Context) error {
							_, err := pool.Exec(ctx, "select pg_sleep(60)")
							return err
						})
					})
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("a timeout: %v", err)
					}
					return nil
				})
			}
		}
		if err := task.Scope(ctx, func(ctx context.Context) error { ask(ctx); return nil }); err != nil {
			return err
		}
		return on(ctx, func(context.Context) error { pool.Close(); return nil })
	})
}
