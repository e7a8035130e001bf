// SPDX-License-Identifier: Apache-2.0

package main

import "context"

// A Program is one of those that are written twice. What programs there are, the
// table programs says.
type Program struct {
	Name string // the directory below examples/compare
	Unit string // a unit of its work: page, message, ...
	Held string // what Hold holds: pages, clients, ...

	Tasks, Goroutines Side

	// Partner starts the other end of the program: a web site, or clients.
	Partner func() (Partner, error)
}

// A Side is one of the two implementations. It runs in a process of its own, until its
// work is done or ctx is cancelled. Partner is the address of the other end, if that has
// one. A server calls ready with its own address when it listens; a client calls it with
// "" at once. ctx is that of a task for Tasks.
type Side func(ctx context.Context, partner string, ready func(address string)) error

// A Partner is the other end of a program. It runs with goroutines, in the process of
// the report.
type Partner interface {
	// Address is what a Side gets before it starts.
	Address() string

	// Work has the side at this address do units of work, and returns how many it has
	// done when all are done.
	Work(ctx context.Context, address string) (units int, err error)

	// Hold has the side at this address begin n pieces of work that do not end, and
	// returns when all n have begun.
	Hold(ctx context.Context, address string, n int) error

	// Close ends the partner and all that it holds.
	Close()
}
