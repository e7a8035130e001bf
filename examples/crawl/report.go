// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// report writes the results of the pages and the totals. With a level above 0 it writes all pages,
// with level 0 the pages that failed, and otherwise no pages. It takes no ctx, because it also
// runs after a cancel. If the terminal is slow, report blocks the loop, which has no other task by
// then.
func (c *crawler) report(out io.Writer) {
	w := bufio.NewWriter(out)
	defer w.Flush()
	fmt.Fprintln(w, "*** Report ***")
	for _, key := range slices.Sorted(maps.Keys(c.pages)) {
		p := c.pages[key]
		bad := p.kind() == "error" || p.kind() == "fail"
		if c.Level > 0 || c.Level == 0 && bad {
			fmt.Fprintln(w, p)
		}
	}
	verb, noun := "Finished", "urls"
	if c.cut {
		verb = "Interrupted:"
	}
	if c.done == 1 {
		noun = "url"
	}
	fmt.Fprintf(w, "%s %d %s in %.2f secs (max_tasks=%d)\n",
		verb, c.done, noun, c.ended.Sub(c.began).Seconds(), c.MaxTasks)
	totals := c.totals()
	for _, name := range slices.Sorted(maps.Keys(totals)) {
		fmt.Fprintf(w, "%12s %9d\n", name, totals[name])
	}
}

// totals counts the pages and bytes of each kind, the tries after the first of each page, and
// the connections. The order of the pages changes only the number of connections, if the crawl
// has finished and the site gives all requests the same answers.
func (c *crawler) totals() map[string]int {
	totals := map[string]int{
		"connections": c.opened,
		"reused":      c.reused,
	}
	for _, p := range c.pages {
		kind := p.kind()
		totals[kind]++
		if p.Size > 0 {
			totals[kind+"_bytes"] += p.Size
		}
		if kind == "error" {
			totals[fmt.Sprintf("status_%d", p.Status)]++
		}
		if p.Tries > 1 {
			totals["retries"] += p.Tries - 1
		}
	}
	return totals
}

// kind is the kind of page for the totals.
func (p *page) kind() string {
	switch {
	case !p.Done:
		return "pending" // only if the crawl was cancelled
	case p.Err != nil:
		return "fail"
	case p.Next != nil:
		return "redirect"
	case p.Status != 200:
		return "error"
	case p.Type == "text/html":
		return "html"
	default:
		return "other"
	}
}

// String returns the line of the page in the report.
func (p *page) String() string {
	switch p.kind() {
	case "pending":
		return fmt.Sprintf("%v pending", p.URL)
	case "fail":
		// The error may have several lines.
		return fmt.Sprintf("%v error %s (try %d)", p.URL, strings.ReplaceAll(p.Err.Error(), "\n", "; "), p.Tries)
	case "redirect":
		return fmt.Sprintf("%v %d redirect %v", p.URL, p.Status, p.Next)
	case "html":
		return fmt.Sprintf("%v %d %s %s %d %d/%d", p.URL, p.Status, p.Type, p.Encoding, p.Size, p.New, p.Links)
	default:
		return fmt.Sprintf("%v %d %s %s %d", p.URL, p.Status, p.Type, p.Encoding, p.Size)
	}
}
