// SPDX-License-Identifier: Apache-2.0

// Report compares the programs that are written twice, with tasks and with goroutines. It prints
// tables in Markdown: what the sources need, and what running costs. With -mutants it deletes
// statements from the sources, and the table shows what tests, race detector and simulation
// find.
//
//	go run ./examples/compare/report
//	go run ./examples/compare/report -write docs/goroutines.md
//	go run ./examples/compare/report -mutants
//
// The first command takes about two minutes, the last one fifteen. The report reads the sources,
// so it must run in the directory of the module. Each measurement has its own process, and the
// report serves it. The measurements of the two sides alternate.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	rounds int
	only   *regexp.Regexp
	write  string

	mutants bool
	study   study

	side, stage, partner string
	n                    int
}

func run(ctx context.Context, args []string) error {
	var o options
	flags := flag.NewFlagSet("report", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 5, "how often each side is measured")
	only := flags.String("run", "", "only programs that match this regular expression")
	flags.StringVar(&o.write, "write", "", "write the tables into this file, between the markers there")
	flags.BoolVar(&o.mutants, "mutants", false, "delete statements, and see what finds that")
	flags.IntVar(&o.study.most, "most", 12, "with -mutants: how many statements of each side")
	flags.Uint64Var(&o.study.seed, "seed", 1, "with -mutants: which ones")
	flags.StringVar(&o.side, "side", "", "be the process of this side (the report starts such processes)")
	flags.StringVar(&o.stage, "stage", "", "with -side: what it is measured by")
	flags.StringVar(&o.partner, "partner", "", "with -side: the address of the partner")
	flags.IntVar(&o.n, "n", 0, "with -side: how much it does at a time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.side != "" {
		return o.runChild(os.Stdin, os.Stdout)
	}
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		return err
	}
	return o.report(ctx, os.Stdout)
}

func (o options) runChild(in io.Reader, out io.Writer) error {
	name, who, _ := strings.Cut(o.side, ", ")
	for _, c := range contestants {
		if p, ok := program(name); ok && c.name == who {
			child := child{c.side(p), Job{Partner: o.partner, AtOnce: o.n}, stage(o.stage), c.handoff, 0}
			return child.run(in, out)
		}
	}
	return fmt.Errorf("there is no side %q", o.side)
}

// report writes the tables.
func (o options) report(ctx context.Context, out io.Writer) error {
	var chosen []Program
	for _, p := range programs {
		if o.only.MatchString(p.Name) {
			chosen = append(chosen, p)
		}
	}
	if o.mutants {
		return o.print(out, "mutants", func(out io.Writer) error { return o.study.run(ctx, out, chosen) })
	}
	return o.print(out, "figures", func(out io.Writer) error {
		if err := code(out, chosen); err != nil {
			return err
		}
		return running(ctx, out, chosen, o.rounds)
	})
}

// print prints tables, or writes them into the file of -write, between the lines that mark the
// place.
func (o options) print(out io.Writer, place string, tables func(out io.Writer) error) error {
	if o.write == "" {
		return tables(out)
	}
	page, err := os.ReadFile(o.write)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(page), "<!-- "+place+" -->\n")
	_, after, closed := strings.Cut(rest, "<!-- end of "+place+" -->\n")
	if !ok || !closed {
		return fmt.Errorf("%s has no lines that mark the place of the %s", o.write, place)
	}
	var text strings.Builder
	if err := tables(&text); err != nil {
		return err
	}
	return os.WriteFile(o.write, []byte(before+"<!-- "+place+" -->\n\n"+strings.TrimSpace(text.String())+
		"\n\n<!-- end of "+place+" -->\n"+after), 0o644)
}
