// SPDX-License-Identifier: Apache-2.0

// Package load sends messages through a proxy, over ordinary connections, and has a backend for
// the proxy.
package load

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Config says how many messages to send. The zero value is the default.
type Config struct {
	Clients  int // connections at a time; default 10
	Conns    int // for each client, one after the other; default 1
	Messages int // for each connection; default 100
	Size     int // bytes of a message; default 1024
}

// Result is the result of Run.
type Result struct {
	Messages  int
	Elapsed   time.Duration
	Latencies []time.Duration // of each message, until it has come back; sorted
}

// Run makes clients send messages to a proxy at address, in front of echo servers. A client
// sends a message when the message before has come back.
func Run(ctx context.Context, address string, cfg Config) (Result, error) {
	cfg.Clients = cmp.Or(cfg.Clients, 10)
	cfg.Conns = cmp.Or(cfg.Conns, 1)
	cfg.Messages = cmp.Or(cfg.Messages, 100)
	cfg.Size = cmp.Or(cfg.Size, 1024)
	began := time.Now()
	latencies := make([][]time.Duration, cfg.Clients)
	running, ctx := errgroup.WithContext(ctx)
	for i := range latencies {
		running.Go(func() error {
			for range cfg.Conns {
				took, err := converse(ctx, address, cfg)
				if err != nil {
					return err
				}
				latencies[i] = append(latencies[i], took...)
			}
			return nil
		})
	}
	if err := running.Wait(); err != nil {
		return Result{}, err
	}
	result := Result{Elapsed: time.Since(began), Latencies: slices.Concat(latencies...)}
	result.Messages = len(result.Latencies)
	slices.Sort(result.Latencies)
	return result, nil
}

// Hold opens n connections through the proxy. They stay open until the caller calls release.
func Hold(ctx context.Context, address string, n int) (release func(), err error) {
	var conns []net.Conn
	release = func() {
		for _, c := range conns {
			c.Close()
		}
	}
	for range n {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return release, err
		}
		conns = append(conns, conn)
		if _, err := exchange(conn, []byte{1}, make([]byte, 1)); err != nil { // it has a backend now
			return release, err
		}
	}
	return release, nil
}

// converse sends the messages of one connection, and returns their times.
func converse(ctx context.Context, address string, cfg Config) ([]time.Duration, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	message, answer := make([]byte, cfg.Size), make([]byte, cfg.Size)
	latencies := make([]time.Duration, cfg.Messages)
	for i := range latencies {
		message[0]++
		if latencies[i], err = exchange(conn, message, answer); err != nil {
			return nil, err
		}
	}
	return latencies, nil
}

// exchange sends a message and reads it back, and returns the time between.
func exchange(conn net.Conn, message, answer []byte) (time.Duration, error) {
	began := time.Now()
	if _, err := conn.Write(message); err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(conn, answer); err != nil {
		return 0, err
	}
	if !bytes.Equal(answer, message) {
		return 0, errors.New("load: a message has changed")
	}
	return time.Since(began), nil
}

// Echo runs an echo server on a port of the loopback interface until ctx ends. The returned
// function waits for the end.
func Echo(ctx context.Context) (address string, wait func(), err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	context.AfterFunc(ctx, func() { ln.Close() })
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				io.Copy(conn, conn)
			})
		}
	})
	return ln.Addr().String(), running.Wait, nil
}
