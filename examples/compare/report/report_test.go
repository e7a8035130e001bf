// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs a side if the process is a child of a test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-side" {
		if err := run(context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// small are partners with little work.
var small = map[string]func() (Partner, error){
	"crawler": func() (Partner, error) { return newWebSite(50), nil },
	"chat":    func() (Partner, error) { return &guests{messages: 3}, nil },
	"proxy":   func() (Partner, error) { return newEndpoints(3) },
}

// Each stage of each program measures its values.
func TestMeasure(t *testing.T) {
	t.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each process would sleep for a second
	for _, p := range programs {
		p.Working, p.Holding, p.Partner = 3, 7, small[p.Name]
		for _, c := range contestants {
			var s samples
			if err := s.round(t.Context(), p, c, 2); err != nil {
				t.Fatal(err)
			}
			hold, stall := s.hold[0], s.stall[0]
			if s.work[0].cpu <= 0 || s.alone[0].cpu <= 0 {
				t.Errorf("%s, %s: work takes no CPU time: %+v", p.Name, c.name, s)
			}
			if hold.goroutines < 7 || hold.memory <= 0 || hold.cancel <= 0 || hold.shutdown < hold.cancel {
				t.Errorf("%s, %s: 7 %s are %+v", p.Name, c.name, p.Held, hold)
			}
			if stall.stall <= 0 || hold.stall != 0 {
				t.Errorf("%s, %s: the stall is %v with work, and %v without a ticker", p.Name, c.name,
					stall.stall, hold.stall)
			}
		}
	}
}

// A side that fails ends its process, and the report returns the error of the side.
func TestSideFails(t *testing.T) {
	p := crawlerProgram
	p.Partner = func() (Partner, error) { return noPartner{}, nil }
	if _, err := measure(t.Context(), p, contestants[0], workStage, 1); err == nil ||
		!strings.Contains(err.Error(), "is not an http URL") {
		t.Errorf("a crawl without a site is measured with the error %v, want that of the side", err)
	}
}

type noPartner struct{ Partner }

func (noPartner) Address() string { return "nowhere" }
func (noPartner) Close()          {}
func (noPartner) Work(ctx context.Context, _ string, _ int) (int, error) {
	return 1, nil
}

const example = `package example

import "sync/atomic"

/* A comment
of two lines. */
type box struct {
	mu   sync.Mutex // with a comment
	full chan string
	n    atomic.Int64
}

var text = ` + "`two\nlines`" + `

func (b *box) run() {
	var group sync.WaitGroup
	go wait()
	group.Go(wait)
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.full <- text:
		b.n.Add(1)
	default:
	}
}
`

func TestCount(t *testing.T) {
	got := tally{counts: make([]int, len(constructs))}
	if err := got.add("example.go", []byte(example)); err != nil {
		t.Fatal(err)
	}
	want := map[string]int{
		"starts": 2, "scopes and groups": 1, "locks": 1, "channels and queues": 1, "selects": 1, "atomics": 1,
	}
	for i, c := range constructs {
		if got.counts[i] != want[c.name] {
			t.Errorf("%d %s, want %d", got.counts[i], c.name, want[c.name])
		}
	}
	if got.lines != 21 {
		t.Errorf("%d lines, want 21", got.lines)
	}
}

// There is a mutant for each statement and for each lock. Its source lacks only the statement
// or the lock.
func TestMutants(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "example.go"), []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := mutants(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, m.String())
		text, err := m.source()
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(m.statement, " ..."); strings.Contains(string(text), "\t"+first+"\n") ||
			strings.Count(string(text), "\n") != strings.Count(example, "\n") {
			t.Errorf("without %v the source is\n%s", m, text)
		}
	}
	want := []string{
		"example.go:17: var group sync.WaitGroup",
		"example.go:18: go wait()",
		"example.go:19: group.Go(wait)",
		"example.go:20: b.mu.Lock()",
		"example.go:21: defer b.mu.Unlock()",
		"example.go:20: b.mu.Lock() ...",
		"example.go:22: select { ...",
		"example.go:23: case b.full <- text: ...",
		"example.go:25: default:",
		"example.go:24: b.n.Add(1)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("mutants %q\nwant %q", got, want)
	}
}

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		first, second string
		want          []finding
	}{
		{"", "", nil},
		{"x_test.go:1: no", "x_test.go:1: no", []finding{failure}},
		{"WARNING: DATA RACE\n    testing.go:1712: race detected during execution of test", "", []finding{race}},
		{"panic: test timed out after 20s\nWARNING: DATA RACE", "", []finding{hang}},
		{"x_test.go:1: no\npanic: test timed out after 20s", "", []finding{failure, hang}},
		{"", "    x_test.go:1: no", []finding{failure, again}},
		{"", "task: deadlock: nothing is left", []finding{deadlock, again}},
		{"found unexpected goroutines", "found unexpected goroutines", []finding{leak}},
		{"exit status 1", "", []finding{failure}},
	} {
		if got := classify(c.first, c.second); !slices.Equal(got, c.want) {
			t.Errorf("classify(%q, %q) = %q, want %q", c.first, c.second, got, c.want)
		}
	}
}

func TestWrite(t *testing.T) {
	name := filepath.Join(t.TempDir(), "page.md")
	const page = "before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n"
	if err := os.WriteFile(name, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	tables := func(out io.Writer) error { _, err := io.WriteString(out, "new\n"); return err }
	o := options{write: name}
	if err := o.print(io.Discard, "figures", tables); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), strings.Replace(page, "old", "\nnew\n", 1); got != want {
		t.Errorf("the page is %q, want %q", got, want)
	}
	if err := o.print(io.Discard, "mutants", tables); err == nil {
		t.Error("a page without the marks was written")
	}
}

// The page has the counts of the current sources, and all rows of the other tables.
func TestPage(t *testing.T) {
	t.Chdir("../../..")
	page, err := os.ReadFile("docs/goroutines.md")
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	if err := code(&table, programs); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), table.String()) {
		t.Errorf("docs/goroutines.md does not show the sources as they are: write it with -write, or enter\n%s",
			table.String())
	}
	for _, p := range programs {
		for _, c := range contestants {
			if row := fmt.Sprintf("| %s | %s | ", p.Name, c.name); !strings.Contains(string(page), row) {
				t.Errorf("docs/goroutines.md has no row %s", row)
			}
		}
		for _, side := range sides {
			if row := fmt.Sprintf("| %s | %s | ", p.Name, side); strings.Count(string(page), row) < 2 {
				t.Errorf("docs/goroutines.md has no mutants of %s, %s", p.Name, side)
			}
		}
	}
}
