// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
)

// A report prints lines as they are measured.
type report interface {
	lines([]line)
	end() error // returns the first write error
}

// table is the report for human readers.
type table struct {
	w     *tabwriter.Writer
	begun bool
	err   error
}

func newTable(out io.Writer) report {
	return &table{w: tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)}
}

// lines prints the lines of one shape, aligned with each other.
func (t *table) lines(lines []line) {
	if len(lines) == 0 {
		return
	}
	if !t.begun {
		t.begun = true
		t.print("row", "procs", "median", "min", "max", "unit", "peer", "procs", "median", "min", "max", "ratio", "limit", "")
	}
	for _, l := range lines {
		if l.note != "" {
			t.print(l.name, l.procs, "-", "-", "-", l.unit, l.peer, "-", "-", "-", "-", "-", limit(l), " "+l.note)
			continue
		}
		t.print(l.name, l.procs, figure(l.value.median), figure(l.value.min), figure(l.value.max), l.unit,
			l.peer, l.peerProcs, figure(l.peerValue.median), figure(l.peerValue.min), figure(l.peerValue.max),
			strconv.FormatFloat(l.ratio, 'f', 2, 64), limit(l), verdict(l))
	}
	t.note(t.w.Flush())
}

func (t *table) end() error { return t.err }

// print prints the cells of one line. It pads the name of the row, because the tabwriter aligns all
// cells to the right.
func (t *table) print(name string, cells ...any) {
	_, err := fmt.Fprintf(t.w, "%-23s\t", name)
	t.note(err)
	for _, c := range cells {
		_, err := fmt.Fprintf(t.w, "%6v\t", c)
		t.note(err)
	}
	_, err = fmt.Fprintln(t.w)
	t.note(err)
}

func (t *table) note(err error) {
	if t.err == nil {
		t.err = err
	}
}

// figure formats v with at least three significant digits. More would be noise.
func figure(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

func limit(l line) string {
	if l.limit == 0 {
		return ""
	}
	return strconv.FormatFloat(l.limit, 'f', -1, 64)
}

// verdict returns the mark of a ratio above its limit.
func verdict(l line) string {
	if l.limit > 0 && l.ratio > l.limit {
		return "over"
	}
	return ""
}
