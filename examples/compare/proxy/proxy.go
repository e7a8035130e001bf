// SPDX-License-Identifier: Apache-2.0

// Package proxy is the contract of a TCP proxy that limits connections. It is written
// twice: package tasks has it with Baton, package goroutines with the standard library.
// The tests here run against both.
//
// A connection needs a slot: one of MaxConns, and one of a healthy backend's MaxPerBackend.
// Backends take turns; one that is full or not healthy misses its turn. If there is no slot,
// the connection waits for one, behind those that wait already. It is closed if too many
// wait, or when it has waited for WaitTimeout. A client that leaves meanwhile keeps its place.
//
// With its slot the connection dials the backend. If that fails, it gives the slot back,
// pauses, and asks for another one, as if it were new. Then bytes go in both directions. An
// end of one direction is passed on, and the other one goes on. If one end fails, or no byte
// has moved for IdleTimeout, both ends are reset.
//
// All backends are healthy at first. At once and then at each HealthInterval, a backend is
// dialed to see whether it accepts. Fall failures in a row make it sick, and Rise successes
// in a row make it healthy again.
//
// A cancel of Serve's ctx ends the proxy: connections that have no backend yet are closed;
// the others may go on for Grace, and are cut off then.
package proxy

import (
	"cmp"
	"fmt"
	"net"
	"time"
)

// Config says how to serve. The zero value is the default.
type Config struct {
	MaxConns      int // connections in all; default 1000
	MaxPerBackend int // connections of a backend; default 100
	MaxWaiting    int // connections that wait for a slot; default 100

	WaitTimeout time.Duration // of a wait for a slot; default 10 s
	DialTimeout time.Duration // of one dial to a backend, checks included; default 2 s
	Attempts    int           // dials for a connection, before it is closed; default 3
	Backoff     time.Duration // pause after the first failed dial; doubled after each; default 50 ms
	IdleTimeout time.Duration // default 5 minutes

	HealthInterval time.Duration // default 5 s
	Rise           int           // default 2
	Fall           int           // default 3

	Grace time.Duration // default 30 s

	// Ready, if it is not nil, is called once, when the proxy accepts connections. It must not block.
	// The function stats may be called until Serve has returned: with tasks, by tasks and
	// callbacks of the loop; with goroutines, by every goroutine.
	Ready func(addr net.Addr, stats func() Stats)
}

// Stats is what a proxy knows about itself.
type Stats struct {
	Waiting  int // connections that wait for a slot now
	Refused  int // connections closed since too many waited
	TimedOut int // connections closed since they had waited for too long
	Failed   int // connections closed since all dials had failed
	Backends []BackendStats
}

// BackendStats is what a proxy knows about a backend.
type BackendStats struct {
	Address string
	Healthy bool
	Active  int // slots that are taken now
	Served  int // connections that it has accepted
}

// A CutError says that the grace was over before all connections had ended.
type CutError struct {
	Conns int // that were cut off
}

func (e *CutError) Error() string { return fmt.Sprintf("proxy: cut off %d connections", e.Conns) }

// Defaults returns c with the defaults in place of zeros.
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
