// SPDX-License-Identifier: Apache-2.0

// Benchmarks compares tasks with the simplest good Go (goroutines, channels, sync,
// time.AfterFunc), and echo servers also with an epoll server in C:
//
//	go run ./benchmarks                        every row, as a table
//	go run ./benchmarks -run 'switch|spawn'    some rows
//	go run ./benchmarks -json                  a JSON object on each line
//	go run ./benchmarks -markdown              the table of the README
//	go run ./benchmarks -fresh                 each side in its own process
//	go run ./benchmarks -here                  all rows in this process
//	go run ./benchmarks -wrk                   the rows of HTTP servers, with wrk as their client
//
// A row is named shape/H, where H is the hand-over: channel or coroutine. Both sides are measured
// with the current GOMAXPROCS and with 1. The better of the peer's two medians counts. A ratio
// below 1 means that Baton is faster or needs less memory. Rounds of all sides alternate, so that
// other load of the machine affects all sides in the same way. Trust the ratios, not the
// nanoseconds.
//
// Each shape runs in a separate process, because a row leaves memory behind: the descriptors of
// ten thousand goroutines, for example, make later garbage collections slower. All sides of a row
// share a process. With -fresh each side has its own process.
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

// leastRounds is the smallest number of rounds for a useful median.
const leastRounds = 5

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

// run measures the rows that args select and writes the report to out.
func run(args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	var (
		asJSON   = flags.Bool("json", false, "print a JSON object for each line")
		asTable  = flags.Bool("markdown", false, "print the table of the README")
		pattern  = flags.String("run", "", "measure the rows whose name matches this `regexp`")
		rounds   = flags.Int("rounds", leastRounds, "rounds of each side; the medians are shown")
		many     = flags.Int("many", atOnce, "number of concurrent tasks in spawn/many")
		fresh    = flags.Bool("fresh", false, "measure each side in its own process, for all its rounds")
		here     = flags.Bool("here", false, "measure all rows in this process")
		wrk      = flags.Bool("wrk", false, "measure the rows of HTTP servers only, with wrk (Debian package wrk) as their client")
		profile  = flags.String("cpuprofile", "", "write a CPU profile of this process to this `file`; needs -here")
		park     = flags.String("parked", "", "internal: park many of these and print the memory of one")
		least    = flags.Duration("least", 100*time.Millisecond, "internal: minimum time of a round")
		sideName = flags.String("side", "", "internal: measure rounds of this side, as standard input requests")
	)
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *many < 1:
		return fmt.Errorf("-many %d: it must be at least 1", *many)
	case *rounds < leastRounds:
		return fmt.Errorf("-rounds %d: a median needs at least %d", *rounds, leastRounds)
	case *here && *fresh:
		return errors.New("-here and -fresh exclude each other")
	case *profile != "" && !*here:
		return errors.New("-cpuprofile needs -here: without it this process does not measure")
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
	if *sideName != "" {
		return measureRounds(*sideName, os.Stdin, out)
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

// selected returns a function that reports whether a row is selected: its name matches pattern, and
// with -wrk, wrk can measure it.
func selected(pattern string) (func(name string) bool, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return func(name string) bool { return re.MatchString(name) && (!byWrk || strings.HasPrefix(name, "http/")) }, nil
}

// newReport returns the report that the flags select.
func newReport(asJSON, asTable bool, out io.Writer) report {
	switch {
	case asJSON:
		return newJSON(out)
	case asTable:
		return newMarkdown(out)
	}
	return newTable(out)
}

// lines measures a shape in a separate process. It measures in this process with here, and if other
// processes do the work anyway: those of the sides, or with -fresh one for each contestant.
func (p plan) lines(s shape, wanted func(name string) bool, here bool) ([]line, error) {
	if here || p.fresh || s.processes {
		return p.measure(s, wanted), nil
	}
	return p.measureApart(s, wanted)
}

// procs returns the current GOMAXPROCS, and 1.
func procs() []int { return slices.Compact([]int{runtime.GOMAXPROCS(0), 1}) }

// startProfile starts a CPU profile. stop ends it.
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
