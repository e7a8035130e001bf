// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"

	"baton/examples/compare/proxy"
	"baton/examples/compare/proxy/goroutines"
	"baton/examples/compare/proxy/load"
	"baton/examples/compare/proxy/tasks"
)

var proxyProgram = Program{
	Name: "proxy", Unit: "message of 1 KiB, there and back", Held: "connections", Working: 50, Holding: 500,
	Tasks:      proxySide(tasks.Serve),
	Goroutines: proxySide(goroutines.Serve),
	Partner:    func() (Partner, error) { return newEndpoints(300) },
}

func proxySide(serve func(context.Context, string, []string, proxy.Config) error) Side {
	return func(ctx context.Context, job Job) error {
		err := serve(ctx, "127.0.0.1:0", []string{job.Partner}, proxy.Config{
			MaxPerBackend: job.AtOnce,
			Grace:         grace,
			Ready:         func(addr net.Addr, _ func() proxy.Stats) { job.Ready(addr.String()) },
		})
		if _, ok := err.(*proxy.CutError); ok {
			return nil
		}
		return err
	}
}

// endpoints are the partner of the proxy: an echo server as the backend, and the clients. Each
// client sends a number of messages.
type endpoints struct {
	messages int
	backend  string
	end      context.CancelFunc
	wait     func()
	release  func() // closes the connections that are held
}

func newEndpoints(messages int) (*endpoints, error) {
	ctx, end := context.WithCancel(context.Background())
	backend, wait, err := load.Echo(ctx)
	if err != nil {
		end()
		return nil, err
	}
	return &endpoints{messages: messages, backend: backend, end: end, wait: wait}, nil
}

func (e *endpoints) Address() string { return e.backend }

func (e *endpoints) Close() {
	if e.release != nil {
		e.release()
	}
	e.end()
	e.wait()
}

func (e *endpoints) Work(ctx context.Context, address string, n int) (int, error) {
	result, err := load.Run(ctx, address, load.Config{Clients: n, Messages: e.messages})
	return result.Messages, err
}

func (e *endpoints) Hold(ctx context.Context, address string, n int) (err error) {
	e.release, err = load.Hold(ctx, address, n)
	return err
}
