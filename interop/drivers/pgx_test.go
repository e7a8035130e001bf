// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"baton/await"
	"baton/netio"
	"baton/task"
)

// version queries PostgreSQL on a new connection. All calls of pgx run outside the loop: after a
// cancel and after a slow write, pgx waits for its own goroutines.
func version(ctx context.Context, url string) (string, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return "", err
	}
	config.DialFunc = netio.Dialer{}.DialFunc(ctx) // the connection lives as long as ctx
	return await.Blocking(ctx, func(ctx context.Context) (version string, err error) {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return "", err
		}
		defer conn.Close(ctx)
		err = conn.QueryRow(ctx, "show server_version").Scan(&version)
		return version, err
	})
}

// A connector opens connections that the loop serves.
type connector func(ctx context.Context) (*pgx.Conn, error)

func newConnector(ctx context.Context, url string) (connector, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.DialFunc = netio.Dialer{}.DialFunc(ctx)
	return func(ctx context.Context) (*pgx.Conn, error) { return pgx.ConnectConfig(ctx, config) }, nil
}

// withPgx runs fn outside the loop, with a connection that the loop serves.
func withPgx(t *testing.T, fn func(ctx context.Context, connect connector, conn *pgx.Conn) error) {
	t.Helper()
	url := startPostgres(t)
	within(t, func(ctx context.Context) error {
		connect, err := newConnector(ctx, url)
		if err != nil {
			return err
		}
		return on(ctx, func(ctx context.Context) error {
			conn, err := connect(ctx)
			if err != nil {
				return err
			}
			defer conn.Close(ctx)
			return fn(ctx, connect, conn)
		})
	})
}

// Each of many tasks has its own connection.
func TestPgxOfTasks(t *testing.T) {
	url := startPostgres(t)
	within(t, func(ctx context.Context) error {
		for range 10 {
			task.Go(ctx, func(ctx context.Context) error {
				v, err := version(ctx, url)
				if v == "" {
					t.Error("the version is empty")
				}
				return err
			})
		}
		return nil
	})
}

// Queries, batches, large values and transactions. The large value does not fit into the socket
// buffers, so pgx starts a goroutine that reads while pgx writes.
func TestPgx(t *testing.T) {
	withPgx(t, func(ctx context.Context, _ connector, conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "select g from generate_series(1, $1::int) g", 10_000)
		if err != nil {
			return err
		}
		got, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if len(got) != 10_000 || !slices.IsSorted(got) || err != nil {
			t.Errorf("%d rows, %v", len(got), err)
		}
		large := strings.Repeat("0123456789", 1_000_000)
		var back string
		if err := conn.QueryRow(ctx, "select $1::text", large).Scan(&back); err != nil || back != large {
			t.Errorf("a large value: %d bytes, %v", len(back), err)
		}
		batch := &pgx.Batch{}
		for i := range 1000 {
			batch.Queue("select $1::int", i).QueryRow(func(row pgx.Row) error {
				var n int
				if err := row.Scan(&n); err != nil || n != i {
					t.Errorf("answer %d: %d, %v", i, n, err)
				}
				return nil
			})
		}
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			t.Errorf("a batch: %v", err)
		}
		if _, err := conn.Exec(ctx, "create table t (n int primary key)"); err != nil {
			return err
		}
		err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
			for range 2 {
				if _, err := tx.Exec(ctx, "insert into t values (1)"); err != nil {
					return err
				}
			}
			return nil
		})
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "23505" {
			t.Errorf("a transaction with a duplicate key: %v", err)
		}
		var n int
		if err := conn.QueryRow(ctx, "select count(*) from t").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows after a rollback, %v", n, err)
		}
		return nil
	})
}

// COPY in both directions.
func TestPgxCopy(t *testing.T) {
	withPgx(t, func(ctx context.Context, _ connector, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "create table t (n int, s text)"); err != nil {
			return err
		}
		const rows = 100_000
		text := strings.Repeat("x", 50)
		n, err := conn.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"n", "s"},
			pgx.CopyFromSlice(rows, func(i int) ([]any, error) { return []any{i, text}, nil }))
		if n != rows || err != nil {
			t.Errorf("CopyFrom: %d rows, %v", n, err)
		}
		var out strings.Builder
		if _, err := conn.PgConn().CopyTo(ctx, &out, "copy (select n from t order by n) to stdout"); err != nil {
			return err
		}
		if lines := strings.Count(out.String(), "\n"); lines != rows || !strings.HasSuffix(out.String(), "\n99999\n") {
			t.Errorf("CopyTo: %d lines", lines)
		}
		_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader("1\tone\nmistake\n"), "copy t from stdin")
		if e, ok := errors.AsType[*pgconn.PgError](err); !ok || e.Code != "22P02" {
			t.Errorf("a CopyFrom with a wrong number: %v", err)
		}
		return nil
	})
}

// One connection receives the notifications that another one sends.
func TestPgxNotify(t *testing.T) {
	withPgx(t, func(ctx context.Context, connect connector, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, "listen news"); err != nil {
			return err
		}
		notified := make(chan error, 1)
		go func() {
			sender, err := connect(ctx)
			if err != nil {
				notified <- err
				return
			}
			defer sender.Close(ctx)
			_, err = sender.Exec(ctx, "select pg_notify('news', g::text) from generate_series(1, 100) g")
			notified <- err
		}()
		if err := <-notified; err != nil {
			return err
		}
		for range 100 {
			if n, err := conn.WaitForNotification(ctx); err != nil || n.Channel != "news" {
				t.Fatalf("%v, %v", n, err)
			}
		}
		return nil
	})
}

// A timeout or a cancel ends the query and closes the connection. Pgx also asks the server to
// cancel the query.
func TestPgxCancel(t *testing.T) {
	url := startPostgres(t)
	within(t, func(ctx context.Context) error {
		connect, err := newConnector(ctx, url)
		if err != nil {
			return err
		}
		sleep := func(ctx context.Context) error {
			return on(ctx, func(ctx context.Context) error {
				conn, err := connect(ctx)
				if err != nil {
					return err
				}
				_, err = conn.Exec(ctx, "select pg_sleep(60)")
				if !conn.IsClosed() && !pgconn.SafeToRetry(err) { // a query that was not sent leaves it open
					t.Error("the connection is open after a cancel")
				}
				conn.Close(context.Background())
				<-conn.PgConn().CleanupDone()
				return err
			})
		}
		for range 10 {
			err := await.Timeout(ctx, 20*time.Millisecond, sleep)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a timeout: %v", err)
			}
			sleeping := task.Start(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, sleep(ctx) })
			if err := await.Sleep(ctx, 20*time.Millisecond); err != nil {
				return err
			}
			sleeping.Cancel(nil)
			if _, err := sleeping.Await(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("a cancel: %v", err)
			}
		}
		return on(ctx, func(ctx context.Context) error {
			conn, err := connect(ctx)
			if err != nil {
				return err
			}
			defer conn.Close(ctx)
			for n := -1; n != 0; {
				if err := conn.QueryRow(ctx,
					"select count(*) from pg_stat_activity where query like 'select pg_sleep%'").Scan(&n); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
