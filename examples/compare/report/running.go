// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// samples are the samples of one contestant in one program, of all rounds.
type samples struct {
	work, alone []sample // with GOMAXPROCS unchanged, and with 1
	hold, stall []sample
}

// round measures each stage once.
func (s *samples) round(ctx context.Context, p Program, c contestant, procs int) error {
	for _, m := range []struct {
		into  *[]sample
		stage stage
		procs int
	}{{&s.work, workStage, procs}, {&s.alone, workStage, 1}, {&s.hold, holdStage, procs}, {&s.stall, stallStage, procs}} {
		one, err := measure(ctx, p, c, m.stage, m.procs)
		if err != nil {
			return err
		}
		*m.into = append(*m.into, one)
	}
	return nil
}

func spreadBy(all []sample, value func(sample) float64) spread {
	var values []float64
	for _, s := range all {
		values = append(values, value(s))
	}
	return spreadOf(values)
}

func cpu(s sample) float64 { return s.cpu }

// running measures the programs, and writes a table of what they cost.
func running(ctx context.Context, out io.Writer, chosen []Program, rounds int) error {
	procs := runtime.GOMAXPROCS(0)
	fmt.Fprintf(out, "Medians of %d rounds, with the least and the greatest; %s, GOMAXPROCS %d.\n\n",
		rounds, runtime.Version(), procs)
	fmt.Fprintf(out, "| program | side | CPU for each unit | with GOMAXPROCS 1 | goroutines | memory | cancel "+
		"| shutdown | longest stall |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	ratios := ""
	for _, p := range chosen {
		of := make([]samples, len(contestants))
		for round := range rounds {
			fmt.Fprintf(os.Stderr, "%s: round %d of %d\n", p.Name, round+1, rounds)
			for i, c := range contestants {
				if err := of[i].round(ctx, p, c, procs); err != nil {
					return err
				}
			}
		}
		for i, c := range contestants {
			of[i].row(out, p, c)
		}
		ratios += fmt.Sprintf("* %s: %.2f with `channel`, %.2f with `coroutine`. A unit is a %s, %d at a time; "+
			"%d %s are held.\n",
			p.Name, of[0].best()/of[2].best(), of[1].best()/of[2].best(), p.Unit, p.Working, p.Holding, p.Held)
	}
	_, err := fmt.Fprintf(out, "\nCPU of tasks in proportion to goroutines, each with its better GOMAXPROCS:\n\n%s",
		ratios)
	return err
}

// best returns the CPU time with the better GOMAXPROCS.
func (s *samples) best() float64 {
	return min(spreadBy(s.work, cpu).median, spreadBy(s.alone, cpu).median)
}

func (s *samples) row(out io.Writer, p Program, c contestant) {
	fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", p.Name, c.name,
		duration(spreadBy(s.work, cpu)), duration(spreadBy(s.alone, cpu)),
		number(spreadBy(s.hold, func(s sample) float64 { return s.goroutines })),
		memory(spreadBy(s.hold, func(s sample) float64 { return s.memory })),
		duration(spreadBy(s.hold, func(s sample) float64 { return s.cancel })),
		duration(spreadBy(s.hold, func(s sample) float64 { return s.shutdown })),
		duration(spreadBy(s.stall, func(s sample) float64 { return s.stall })))
}

// duration formats nanoseconds with a unit that suits the median.
func duration(s spread) string {
	unit, name := float64(time.Microsecond), "µs"
	if s.median >= float64(time.Millisecond) {
		unit, name = float64(time.Millisecond), "ms"
	}
	return fmt.Sprintf("%.1f %s (%.1f–%.1f)", s.median/unit, name, s.least/unit, s.greatest/unit)
}

func memory(s spread) string {
	const unit = 1 << 20
	return fmt.Sprintf("%.1f MiB (%.1f–%.1f)", s.median/unit, s.least/unit, s.greatest/unit)
}

// number formats a count. It writes the spread only if the values differ.
func number(s spread) string {
	if s.least == s.greatest {
		return fmt.Sprint(s.median)
	}
	return fmt.Sprintf("%v (%v–%v)", s.median, s.least, s.greatest)
}
