// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"time"

	"baton/examples/compare/chat"
	"baton/examples/compare/chat/goroutines"
	"baton/examples/compare/chat/load"
	"baton/examples/compare/chat/tasks"
)

// grace is the grace of chat and proxy. Clients that are held do not disconnect by themselves,
// so a cancel takes the grace and the time to cut them off.
const grace = time.Millisecond

var chatProgram = Program{
	Name: "chat", Unit: "delivery of a message", Held: "clients", Working: 50, Holding: 500,
	Tasks:      chatSide(tasks.Serve),
	Goroutines: chatSide(goroutines.Serve),
	Partner:    func() (Partner, error) { return &guests{messages: 200}, nil },
}

func chatSide(serve func(context.Context, string, chat.Config) error) Side {
	return func(ctx context.Context, job Job) error {
		return serve(ctx, "127.0.0.1:0", chat.Config{
			Queue: 128, // load.Run needs two lines for each client
			Grace: grace,
			Ready: func(addr net.Addr, _ func() chat.Stats) { job.Ready(addr.String()) },
		})
	}
}

// guests are the partner of the chat room. Each guest sends a number of messages, and all
// others receive them.
type guests struct {
	messages int
	release  func() // disconnects the clients that are held
}

func (g *guests) Address() string { return "" }

func (g *guests) Close() {
	if g.release != nil {
		g.release()
	}
}

func (g *guests) Work(ctx context.Context, address string, n int) (int, error) {
	result, err := load.Run(ctx, address, load.Config{Clients: n, Messages: g.messages})
	return result.Deliveries, err
}

func (g *guests) Hold(ctx context.Context, address string, n int) (err error) {
	g.release, err = load.Hold(ctx, address, n)
	return err
}
