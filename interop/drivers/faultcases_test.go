// SPDX-License-Identifier: Apache-2.0

package drivers_test

import (
	"context"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/ssh"
	"google.golang.org/grpc/backoff"
	health "google.golang.org/grpc/health/grpc_health_v1"

	"baton/await"
	"baton/netio"
)

// faultCases are the libraries of TestFaults and their servers.
var faultCases = []struct {
	name    string
	launch  func(t *testing.T) *server
	connect func(ctx context.Context, address string) (client, error)
}{
	{"go-redis", launchRedis, connectGoRedis},
	{"redigo on a task", launchRedis, connectRedigo},
	{"redigo's pool", launchRedis, connectRedigoPool},
	{"pgx", launchPostgres, connectPgx},
	{"pgxpool", launchPostgres, connectPgxpool},
	{"database sql", launchPostgres, connectSQL},
	{"nats.go", func(t *testing.T) *server { return launchChild(t, "nats") }, reconnectNATS},
	{"gRPC", func(t *testing.T) *server { return launchChild(t, "grpc") }, connectGRPC},
	{"ssh, against sshd", launchSSHD, connectSSHD},
	{"ssh, against a server on a loop", func(t *testing.T) *server { return launchChild(t, "ssh") }, connectChildSSH},
}

// limited makes the call of a client: fn, with a timeout around it.
func limited(fn func(ctx context.Context) error) func(ctx context.Context, limit time.Duration) error {
	return func(ctx context.Context, limit time.Duration) error { return await.Timeout(ctx, limit, fn) }
}

// nothing is the close of a client that holds nothing between calls.
func nothing(context.Context) error { return nil }

func connectGoRedis(ctx context.Context, address string) (client, error) {
	c := newGoRedis(ctx, address)
	return client{
		call: limited(func(ctx context.Context) error {
			_, err := increment(ctx, c, "n")
			return err
		}),
		close: func(ctx context.Context) error { return on(ctx, func(context.Context) error { return c.Close() }) },
	}, nil
}

// Calls of redigo on a task are limited by timeouts of redigo.
func connectRedigo(ctx context.Context, address string) (client, error) {
	return client{
		call: func(ctx context.Context, limit time.Duration) error {
			conn, err := redis.DialContext(ctx, "tcp", address, redis.DialContextFunc(netio.Dialer{}.DialFunc(ctx)),
				redis.DialReadTimeout(limit), redis.DialWriteTimeout(limit))
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Do("INCR", "n")
			return err
		},
		close: nothing,
	}, nil
}

func connectRedigoPool(ctx context.Context, address string) (client, error) {
	dial := redis.DialContextFunc(netio.Dialer{}.DialFunc(ctx))
	pool := &redis.Pool{
		MaxActive: 2, MaxIdle: 2, Wait: true,
		DialContext: func(ctx context.Context) (redis.Conn, error) { return redis.DialContext(ctx, "tcp", address, dial) },
	}
	return client{
		call: limited(func(ctx context.Context) error {
			return on(ctx, func(ctx context.Context) error {
				conn, err := pool.GetContext(ctx)
				if err != nil {
					return err
				}
				defer conn.Close()
				_, err = redis.DoContext(conn, ctx, "INCR", "n")
				return err
			})
		}),
		close: func(ctx context.Context) error { return on(ctx, func(context.Context) error { return pool.Close() }) },
	}, nil
}

func connectPgx(ctx context.Context, address string) (client, error) {
	connect, err := newConnector(ctx, postgresURL(address))
	return client{
		call: limited(func(ctx context.Context) error {
			return on(ctx, func(ctx context.Context) error {
				conn, err := connect(ctx)
				if err != nil {
					return err
				}
				defer conn.Close(ctx)
				_, err = conn.Exec(ctx, "select 1")
				return err
			})
		}),
		close: nothing,
	}, err
}

func connectPgxpool(ctx context.Context, address string) (client, error) {
	pool, err := newPool(ctx, postgresURL(address))
	return client{
		call: limited(func(ctx context.Context) error {
			_, err := double(ctx, pool, 1)
			return err
		}),
		close: func(ctx context.Context) error {
			return on(ctx, func(context.Context) error { pool.Close(); return nil })
		},
	}, err
}

func connectSQL(ctx context.Context, address string) (client, error) {
	db, err := openSQL(ctx, postgresURL(address))
	return client{
		call: limited(func(ctx context.Context) error {
			_, err := triple(ctx, db, 1)
			return err
		}),
		close: func(ctx context.Context) error { return on(ctx, func(context.Context) error { return db.Close() }) },
	}, err
}

// reconnectNATS connects and answers its own requests.
func reconnectNATS(ctx context.Context, address string) (client, error) {
	dialer := natsDialer(netio.Dialer{}.DialFunc(ctx))
	nc, err := await.Blocking(ctx, func(context.Context) (*nats.Conn, error) {
		nc, err := nats.Connect("nats://"+address, nats.SetCustomDialer(dialer),
			nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0))
		if err == nil {
			_, err = nc.Subscribe("twin", func(m *nats.Msg) { _ = m.Respond(m.Data) })
		}
		return nc, err
	})
	return client{
		call: limited(func(ctx context.Context) error {
			return on(ctx, func(ctx context.Context) error {
				_, err := nc.RequestWithContext(ctx, "twin", nil)
				return err
			})
		}),
		close: func(ctx context.Context) error { return closeNATS(ctx, nc) },
	}, err
}

func connectGRPC(ctx context.Context, address string) (client, error) {
	conn, err := newGRPC(ctx, address, backoff.Config{BaseDelay: 10 * time.Millisecond, MaxDelay: 10 * time.Millisecond})
	return client{
		call: limited(func(ctx context.Context) error {
			return on(ctx, func(ctx context.Context) error {
				_, err := health.NewHealthClient(conn).Check(ctx, &health.HealthCheckRequest{})
				return err
			})
		}),
		close: func(ctx context.Context) error { return on(ctx, func(context.Context) error { return conn.Close() }) },
	}, err
}

func connectSSHD(ctx context.Context, address string) (client, error) {
	return connectSSH(address, sshdClient()), nil
}

func connectChildSSH(ctx context.Context, address string) (client, error) {
	return connectSSH(address, &ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()}), nil
}

// Calls of x/crypto/ssh end with their connection, and this with the ctx of the timeout.
func connectSSH(address string, config *ssh.ClientConfig) client {
	return client{
		call: limited(func(ctx context.Context) error {
			c, err := dialSSH(ctx, address, config)
			if err != nil {
				return err
			}
			out, err := command(ctx, c, "cat", "hello")
			if err == nil && out != "hello" {
				panic("cat printed " + out)
			}
			_ = on(ctx, func(context.Context) error { return c.Close() })
			return err
		}),
		close: nothing,
	}
}
