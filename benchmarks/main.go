// SPDX-License-Identifier: Apache-2.0

// Benchmarks measures tasks against the plainest good Go (goroutines, channels,
// sync, time.AfterFunc) and servers against a C epoll server too, in turn, in one
// run:
//
//	go run ./benchmarks                        every row, as a table
//	go run ./benchmarks -run 'switch|spawn'    some rows
//	go run ./benchmarks -json                  an object for each line
//	go run ./benchmarks -markdown              the table of the README
//	go run ./benchmarks -fresh                 every contestant in its own process
//	go run ./benchmarks -here                  all rows in this process
//	go run ./benchmarks -wrk                   the rows of HTTP servers, with wrk as their client
//
// A row is named shape/H, where H is the hand-over: channel or coroutine. Ours
// is measured at GOMAXPROCS as given and at 1; so is the peer, and what counts is
// the better of its two medians. A ratio below 1 means that ours is faster, or
// smaller. Rounds of ours and of the peers take turns, so that whatever else the
// machine does meets all of them alike: trust the ratios, not the nanoseconds.
//
// Each shape has a process of its own, so that no row pays for what an earlier one
// has left: to every collection the descriptors of ten thousand goroutines, and to
// later goroutines a place between them. Within a row all share that, and their
// process ages as a service does. With -fresh every contestant has its own.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"time"
)

// leastRounds is how many rounds a median needs to say anything.
const leastRounds = 5

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// run is the program: it measures what args select and reports to out.
func run(args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	var (
		asJSON  = flags.Bool("json", false, "print a JSON object for each line")
		asTable = flags.Bool("markdown", false, "print the table of the README")
		pattern = flags.String("run", "", "measure the rows whose name matches this `regexp`")
		rounds  = flags.Int("rounds", leastRounds, "rounds of each side; the medians are shown")
		many    = flags.Int("many", atOnce, "how many tasks are at once in spawn/many")
		fresh   = flags.Bool("fresh", false, "give every contestant a process of its own, for all its rounds")
		here    = flags.Bool("here", false, "measure all rows in this process")
		wrk     = flags.Bool("wrk", false, "measure the rows of HTTP servers only, with wrk (Debian package wrk) as their client")
		profile = flags.String("cpuprofile", "", "write a CPU profile of this process to this `file`; needs -here")
		park    = flags.String("parked", "", "internal: park many of these and print what one costs")
		least   = flags.Duration("least", 100*time.Millisecond, "internal: how long a round is at least")
		sitting = flags.String("seat", "", "internal: measure rounds of this contestant, as standard input asks")
	)
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *many < 1:
		return fmt.Errorf("-many %d: there must be one", *many)
	case *rounds < leastRounds:
		return fmt.Errorf("-rounds %d: a median needs at least %d", *rounds, leastRounds)
	case *here && *fresh:
		return errors.New("-here and -fresh exclude each other")
	case *profile != "" && !*here:
		return errors.New("-cpuprofile is of this process, in which only -here measures")
	}
	atOnce, byWrk = *many, *wrk
	wanted, err := selected(*pattern)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if *profile != "" {
		stop, err := startProfile(*profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	if *park != "" {
		return printParked(*park, out)
	}
	if *sitting != "" {
		return sit(*sitting, os.Stdin, out)
	}
	defer func() { err = errors.Join(err, removePrograms()) }()

	report := newReport(*asJSON, *asTable, out)
	plan := plan{rounds: *rounds, least: *least, procs: procs(), fresh: *fresh}
	for _, s := range shapes() {
		lines, err := plan.lines(s, wanted, *here)
		if err != nil {
			return err
		}
		report.lines(lines)
	}
	return report.end()
}

// selected returns which rows match a pattern, and can be measured by wrk if they shall be.
func selected(pattern string) (func(name string) bool, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return func(name string) bool { return re.MatchString(name) && (!byWrk || strings.HasPrefix(name, "http/")) }, nil
}

// newReport is the report that the flags ask for.
func newReport(asJSON, asTable bool, out io.Writer) report {
	switch {
	case asJSON:
		return newJSON(out)
	case asTable:
		return newMarkdown(out)
	}
	return newTable(out)
}

// lines measures a shape in a process of its own, unless it is to be here, or brings
// processes along: its sides', or with -fresh one for each contestant.
func (p plan) lines(s shape, wanted func(name string) bool, here bool) ([]line, error) {
	if here || p.fresh || s.processes {
		return p.measure(s, wanted), nil
	}
	return p.measureApart(s, wanted)
}

// procs is GOMAXPROCS as given, and 1.
func procs() []int { return slices.Compact([]int{runtime.GOMAXPROCS(0), 1}) }

// startProfile starts a CPU profile; what it returns ends it.
func startProfile(name string) (stop func() error, err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
