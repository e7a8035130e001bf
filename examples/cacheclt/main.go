// SPDX-License-Identifier: Apache-2.0

// Cacheclt is a client of cachesvr. Ten tasks set, get and delete a key each, again and
// again, over one connection. When the connection fails, the client connects again.
//
//	go run ./examples/cachesvr
//	go run ./examples/cacheclt   # in another terminal; Ctrl-C ends it
//
//	go run ./examples/cachesvr --tls >cert.pem
//	go run ./examples/cacheclt --tls --cafile cert.pem
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"strings"
	"time"

	"baton/examples/internal/selfsigned"
	"baton/task"
)

var (
	useTLS     = flag.Bool("tls", false, "use TLS")
	cafile     = flag.String("cafile", "", "with -tls, trust the certificates in this file instead of the system's")
	host       = flag.String("host", "localhost", "host name")
	port       = flag.Int("port", 54321, "port number")
	timeout    = flag.Duration("timeout", 5*time.Second, "how long to wait for a response")
	maxBackoff = flag.Duration("max_backoff", 5*time.Second, "the longest wait before connecting again")
	ntasks     = flag.Int("ntasks", 10, "number of tasks")
	ntries     = flag.Int("ntries", 5, "how often to send a request, if connections fail")
)

func main() {
	flag.Parse()
	task.Main(run)
}

func run(ctx context.Context) (err error) {
	c := newClient()
	if *useTLS {
		if c.tls, err = selfsigned.Client(*cafile); err != nil {
			return err
		}
	}
	return task.Scope(ctx, func(ctx context.Context) error {
		running := task.Go(ctx, c.run)
		defer running.Cancel(nil)
		return task.Scope(ctx, func(ctx context.Context) error {
			for label := range *ntasks {
				task.Go(ctx, func(ctx context.Context) error { return exercise(ctx, c, label) })
			}
			return nil
		})
	})
}

// exercise makes requests until one fails. After a request that has timed out, exercise goes
// on.
func exercise(ctx context.Context, c *client, label int) error {
	for {
		log.Print(label, " ", strings.Repeat("-", 20))
		err := round(ctx, c, label)
		if cancelled := task.Check(ctx); cancelled != nil {
			return cancelled
		}
		if errors.Is(err, context.DeadlineExceeded) {
			log.Print(label, " Timeout")
		} else if err != nil {
			log.Print(label, " Client exception: ", err)
			return nil
		}
	}
}

// round makes each kind of request once, and then checks that the key has no value.
func round(ctx context.Context, c *client, label int) error {
	key := fmt.Sprintf("foo-%d", label)
	ok, err := c.set(ctx, key, fmt.Sprintf("hello-%d-world", label))
	if err != nil {
		return err
	}
	log.Print(label, " set ", ok)
	value, err := c.get(ctx, key)
	if err != nil {
		return err
	}
	log.Print(label, " get ", value)
	if ok, err = c.delete(ctx, key); err != nil {
		return err
	}
	log.Print(label, " del ", ok)
	if value, err = c.get(ctx, key); err != nil {
		return err
	}
	log.Print(label, " get2 ", value)
	return nil
}
