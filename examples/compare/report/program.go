// SPDX-License-Identifier: Apache-2.0

package main

import "context"

// programs are the programs that are written twice.
var programs = []Program{crawlerProgram, chatProgram, proxyProgram}

// A Program is a program that is written twice.
type Program struct {
	Name string // its directory below examples/compare
	Unit string // unit of its work: page, message, ...
	Held string // unit of what Hold starts: pages, clients, ...

	Working int // how many units Work does at a time
	Holding int // how many units Hold starts

	Tasks, Goroutines Side

	// Partner starts the other end of the program: a web site, or clients.
	Partner func() (Partner, error)
}

// A Side is one of the two implementations. It runs in its own process until its work is done
// or ctx is cancelled. For the side of tasks, ctx is the context of a task.
type Side func(ctx context.Context, job Job) error

// A Job is the argument of a Side.
type Job struct {
	Partner string // the result of Partner.Address
	AtOnce  int    // Working or Holding

	// Ready must be called once. A server calls it with its address when it listens. A client
	// calls it with "" at once. It does not block.
	Ready func(address string)
}

// A Partner is the other end of a program. It runs with goroutines, in the process of the
// report.
type Partner interface {
	// Address returns the address for the side. It is "" if the partner is not a server.
	Address() string

	// Work makes the side work, n units at a time. It returns the number of units when all are
	// done. Address is the argument of the side's Ready.
	Work(ctx context.Context, address string, n int) (units int, err error)

	// Hold makes the side start n units that do not end. It returns when all have started.
	Hold(ctx context.Context, address string, n int) error

	// Close ends the partner and everything that it holds.
	Close()
}

// program returns the program called name.
func program(name string) (Program, bool) {
	for _, p := range programs {
		if p.Name == name {
			return p, true
		}
	}
	return Program{}, false
}
