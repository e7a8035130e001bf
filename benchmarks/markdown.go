// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// markdown is the report for the README: one row for each shape, compared with the peer of its
// limit, with the ratios at each GOMAXPROCS.
type markdown struct {
	out   io.Writer
	begun bool
	err   error
}

func newMarkdown(out io.Writer) report { return &markdown{out: out} }

func (m *markdown) lines(lines []line) {
	if len(lines) == 0 {
		return
	}
	if !m.begun {
		m.begun = true
		m.print("| row | ours, `channel` | ratio | ours, `coroutine` | ratio | peer |\n")
		m.print("| --- | ---: | ---: | ---: | ---: | --- |\n")
	}
	first := lines[0]
	m.print("| %s |", first.name[:strings.LastIndexByte(first.name, '/')])
	for _, h := range handoffs {
		m.side(lines, "/"+h.String())
	}
	m.print(" %s %s, %s |\n", grouped(first.peerValue.median), first.unit, first.peer)
}

// side prints two cells: the figure at the first GOMAXPROCS, and the ratios at each GOMAXPROCS.
func (m *markdown) side(lines []line, suffix string) {
	var figures, ratios []string
	for _, l := range lines {
		if l.limit == 0 || !strings.HasSuffix(l.name, suffix) {
			continue
		}
		if l.note != "" {
			figures, ratios = append(figures, "-"), append(ratios, "-")
			continue
		}
		figures = append(figures, grouped(l.value.median))
		ratios = append(ratios, strconv.FormatFloat(l.ratio, 'f', 2, 64))
	}
	if len(figures) == 0 {
		figures = []string{"-"}
	}
	m.print(" %s | %s |", figures[0], strings.Join(ratios, " / "))
}

func (m *markdown) end() error { return m.err }

func (m *markdown) print(format string, args ...any) {
	if _, err := fmt.Fprintf(m.out, format, args...); m.err == nil {
		m.err = err
	}
}

// grouped formats a number: a whole number with commas, or a small number with one decimal.
func grouped(v float64) string {
	if v < 10 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
