// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// openSQL returns a database whose connections the loop serves. It does not wait.
func openSQL(ctx context.Context, url string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.DialFunc = netio.Dialer{}.DialFunc(ctx) // connections live as long as ctx
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(4)
	return db, nil
}

// triple queries the database outside the loop: database/sql waits for its own goroutines.
func triple(ctx context.Context, db *sql.DB, n int) (int, error) {
	return await.Blocking(ctx, func(ctx context.Context) (thrice int, err error) {
		err = db.QueryRowContext(ctx, "select 3 * $1::int", n).Scan(&thrice)
		return thrice, err
	})
}

// Many tasks share a database. A timeout ends a query and a cancel ends the wait for a
// connection; a transaction is rolled back.
func TestSQL(t *testing.T) {
	url := startPostgres(t)
	within(t, func(ctx context.Context) error {
		db, err := openSQL(ctx, url)
		if err != nil {
			return err
		}
		for i := range 2 {
			if err := task.Scope(ctx, func(ctx context.Context) error {
				for n := range 100 {
					task.Go(ctx, func(ctx context.Context) error {
						got, err := triple(ctx, db, n)
						if got != 3*n {
							t.Errorf("3 * %d is %d", n, got)
						}
						return err
					})
				}
				return nil
			}); err != nil {
				return err
			}
			if i == 1 {
				break
			}
			for range 8 { // four queries, and four waits for a connection
				task.Go(ctx, func(ctx context.Context) error {
					err := await.Timeout(ctx, 50*time.Millisecond, func(ctx context.Context) error {
						return on(ctx, func(ctx context.Context) error {
							_, err := db.ExecContext(ctx, "select pg_sleep(60)")
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
		if err := on(ctx, func(ctx context.Context) error { return rollBack(ctx, t, db) }); err != nil {
			return err
		}
		return on(ctx, func(context.Context) error { return db.Close() })
	})
}

// rollBack inserts a row in a transaction that is not committed.
func rollBack(ctx context.Context, t *testing.T, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, "create table t (n int)"); err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "insert into t values (1)"); err != nil {
		return err
	}
	if err := tx.Rollback(); err != nil {
		return err
	}
	n := -1
	if err := db.QueryRowContext(ctx, "select count(*) from t").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d rows after a rollback, %v", n, err)
	}
	return nil
}
