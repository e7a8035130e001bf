// SPDX-License-Identifier: Apache-2.0

// Package proxy is the contract of a TCP proxy that limits connections. The proxy is written
// twice: package tasks uses Baton, package goroutines uses the standard library. The tests in
// this package run against both.
//
// A connection needs a slot: one of MaxConns, and one of the MaxPerBackend of a healthy backend.
// The proxy chooses the backends in rotation, and skips a backend that is full or not healthy.
// If no slot is free, the connection waits for one, after the connections that wait already. The
// proxy closes the connection if too many wait, or after WaitTimeout. If its client disconnects
// while the connection waits, the connection keeps its place in the queue.
//
// With a slot, the proxy dials the backend. If the dial fails, the proxy frees the slot, pauses,
// and takes another slot, as for a new connection. After the dial, bytes are sent on in both
// directions. The end of one direction is sent on, and the other direction goes on. If one end
// fails, or no byte has moved for IdleTimeout, the proxy resets both ends.
//
// All backends are healthy at first. At once, and then at each HealthInterval, the proxy dials a
// backend to check that it accepts. After Fall failures in a row the backend is sick, and after
// Rise successes in a row it is healthy again.
//
// A cancel of Serve's ctx ends the proxy. It closes the connections without a backend. The other
// connections may go on for Grace, and are then cut off.
package proxy

import (
	"cmp"
	"fmt"
	"net"
	"time"
)

// Config configures Serve. The zero value is the default.
type Config struct {
	MaxConns      int // connections in all; default 1000
	MaxPerBackend int // connections of a backend; default 100
	MaxWaiting    int // connections that wait for a slot; default 100

	WaitTimeout time.Duration // for a slot; default 10 s
	DialTimeout time.Duration // for one dial to a backend, also of a check; default 2 s
	Attempts    int           // dials for a connection, before it is closed; default 3
	Backoff     time.Duration // pause after the first failed dial; doubled after each; default 50 ms
	IdleTimeout time.Duration // default 5 minutes

	HealthInterval time.Duration // default 5 s
	Rise           int           // default 2
	Fall           int           // default 3

	Grace time.Duration // default 30 s

	// Ready, if it is not nil, is called once, when the proxy accepts connections. It must not
	// block. The function stats may be called until Serve has returned. With tasks, only tasks
	// and callbacks of the loop may call it; with goroutines, every goroutine may.
	Ready func(addr net.Addr, stats func() Stats)
}

// Stats are the statistics of a proxy.
type Stats struct {
	Waiting  int // connections that wait for a slot now
	Refused  int // connections closed because too many waited
	TimedOut int // connections closed because they had waited for too long
	Failed   int // connections closed because all dials had failed
	Backends []BackendStats
}

// BackendStats are the statistics of a backend.
type BackendStats struct {
	Address string
	Healthy bool
	Active  int // slots that are taken now
	Served  int // connections that it has accepted
}

// A CutError reports that connections had not ended within the grace.
type CutError struct {
	Conns int // connections that were cut off
}

func (e *CutError) Error() string { return fmt.Sprintf("proxy: cut off %d connections", e.Conns) }

// Defaults returns c with the default for each field that is zero.
func (c Config) Defaults() Config {
	c.MaxConns = cmp.Or(c.MaxConns, 1000)
	c.MaxPerBackend = cmp.Or(c.MaxPerBackend, 100)
	c.MaxWaiting = cmp.Or(c.MaxWaiting, 100)
	c.WaitTimeout = cmp.Or(c.WaitTimeout, 10*time.Second)
	c.DialTimeout = cmp.Or(c.DialTimeout, 2*time.Second)
	c.Attempts = cmp.Or(c.Attempts, 3)
	c.Backoff = cmp.Or(c.Backoff, 50*time.Millisecond)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 5*time.Minute)
	c.HealthInterval = cmp.Or(c.HealthInterval, 5*time.Second)
	c.Rise = cmp.Or(c.Rise, 2)
	c.Fall = cmp.Or(c.Fall, 3)
	c.Grace = cmp.Or(c.Grace, 30*time.Second)
	if c.Ready == nil {
		c.Ready = func(net.Addr, func() Stats) {}
	}
	return c
}
