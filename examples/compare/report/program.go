// SPDX-License-Identifier: Apache-2.0

package main

import "context"

// programs are those that are written twice.
var programs = []Program{crawlerProgram, chatProgram, proxyProgram}

// A Program is one that is written twice.
type Program struct {
	Name string // its directory below examples/compare
	Unit string // a unit of its work: page, message, ...
	Held string // what Hold begins: pages, clients, ...

	Working int // how many at a time Work uses
	Holding int // how many Hold begins

	Tasks, Goroutines Side

	// Partner starts the other end of the program: a web site, or clients.
	Partner func() (Partner, error)
}

// A Side is one of the two implementations. It runs in a process of its own, until its
// work is done or ctx is cancelled. For Tasks, ctx is that of a task.
type Side func(ctx context.Context, job Job) error

// A Job is what a Side gets.
type Job struct {
	Partner string // what Partner.Address returns
	AtOnce  int    // Working or Holding

	// Ready must be called once: by a server with its address when it listens, by a
	// client with "" at once. It does not block.
	Ready func(address string)
}

// A Partner is the other end of a program. It runs with goroutines, in the process of
// the report.
type Partner interface {
	// Address is for the side. It is "" if the partner is no server.
	Address() string

	// Work has the side do work, n units at a time, and returns how many units it has
	// done when all are done. Address is what the side was ready with.
	Work(ctx context.Context, address string, n int) (units int, err error)

	// Hold has the side begin n pieces of work that do not end, and returns when all
	// have begun.
	Hold(ctx context.Context, address string, n int) error

	// Close ends the partner and all that it holds.
	Close()
}

// program returns the program of this name.
func program(name string) (Program, bool) {
	for _, p := range programs {
		if p.Name == name {
			return p, true
		}
	}
	return Program{}, false
}
