// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// sides are the directories of the two implementations.
var sides = []string{"tasks", "goroutines"}

// A construct is something that concurrent programs use. The report counts constructs in the
// syntax. A name of a package counts everywhere, also in the type of a field.
type construct struct {
	name  string
	names []string            // with the package
	match func(ast.Node) bool // matches by syntax, if not nil
}

var constructs = []construct{
	{"starts", []string{"task.Go", "task.Start", "task.StartErr", "task.StartReady"}, starts},
	{"scopes and groups", []string{
		"sync.WaitGroup", "errgroup.Group", "errgroup.WithContext", "task.Scope", "await.Map", "await.MapN", "await.First",
	}, nil},
	{"locks", []string{
		"sync.Mutex", "sync.RWMutex", "sync.Cond", "sync.NewCond", "sync.Once", "sync.OnceFunc", "sync.OnceValue",
		"sync.Map", "semaphore.Weighted", "semaphore.NewWeighted", "locks.Mutex", "locks.Cond", "locks.NewCond",
		"locks.Semaphore", "locks.NewSemaphore", "locks.NewBoundedSemaphore", "locks.Limiter", "locks.NewLimiter",
		"locks.Event", "locks.Barrier", "locks.NewBarrier",
	}, nil},
	{"channels and queues", []string{
		"locks.Queue", "locks.NewQueue", "locks.NewLIFOQueue", "locks.NewPriorityQueue", "task.Future",
		"task.WaitQueue",
	}, func(n ast.Node) bool { _, ok := n.(*ast.ChanType); return ok }},
	{"selects", nil, func(n ast.Node) bool { _, ok := n.(*ast.SelectStmt); return ok }},
	{"atomics", nil, func(n ast.Node) bool { return strings.HasPrefix(selector(n), "atomic.") }},
	{"deadlines and AfterFuncs", []string{
		"time.AfterFunc", "context.AfterFunc", "context.WithTimeout", "context.WithDeadline",
		"await.Timeout", "await.WithTimeout", "await.WithDeadline",
	}, sets},
}

// starts matches a go statement, and the method Go of a group.
func starts(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		method, ok := n.Fun.(*ast.SelectorExpr)
		return ok && method.Sel.Name == "Go" && selector(method) != "task.Go"
	}
	return false
}

// sets matches a call that sets a deadline of a connection, or a timer of a loop.
func sets(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"SetDeadline", "SetReadDeadline", "SetWriteDeadline",
		"SetIdleTimeout", "SetReadTimeout", "SetWriteTimeout", "CallLater", "CallAt"}, method.Sel.Name)
}

// selector returns "x.Name", or "" for other nodes.
func selector(n ast.Node) string {
	if s, ok := n.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok {
			return x.Name + "." + s.Sel.Name
		}
	}
	return ""
}

// A tally has the counts of the sources of a side.
type tally struct {
	lines  int // lines with code
	counts []int
}

// count reads the sources in dir that are not tests.
func count(dir string) (tally, error) {
	total := tally{counts: make([]int, len(constructs))}
	files, err := sources(dir)
	if err != nil {
		return total, err
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return total, err
		}
		if err := total.add(name, text); err != nil {
			return total, err
		}
	}
	return total, nil
}

// sources returns the Go files in dir that are not tests.
func sources(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	files = slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	if err == nil && len(files) == 0 {
		err = errors.New("no sources in " + dir + ": run the report in the directory of the module")
	}
	return files, err
}

func (t *tally) add(name string, text []byte) error {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, 0)
	if err != nil {
		return err
	}
	t.lines += codeLines(text)
	ast.Inspect(file, func(n ast.Node) bool {
		for i, c := range constructs {
			if c.match != nil && c.match(n) || slices.Contains(c.names, selector(n)) {
				t.counts[i]++
			}
		}
		return true
	})
	return nil
}

// codeLines counts the lines that have more than blanks and comments.
func codeLines(text []byte) int {
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0)
	lines := map[int]bool{}
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		if tok == token.SEMICOLON && literal == "\n" {
			continue // a semicolon that the scanner has added
		}
		first := file.Line(pos)
		for i := range strings.Count(literal, "\n") + 1 {
			lines[first+i] = true
		}
	}
}

// code writes a table of what the sources of the programs need.
func code(out io.Writer, chosen []Program) error {
	fmt.Fprint(out, "| program | side | lines |")
	for _, c := range constructs {
		fmt.Fprintf(out, " %s |", c.name)
	}
	fmt.Fprintf(out, "\n| --- | --- | ---: |%s\n", strings.Repeat(" ---: |", len(constructs)))
	for _, p := range chosen {
		for _, side := range sides {
			t, err := count(path.Join("examples/compare", p.Name, side))
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "| %s | %s | %d |", p.Name, side, t.lines)
			for _, n := range t.counts {
				fmt.Fprintf(out, " %d |", n)
			}
			fmt.Fprintln(out)
		}
	}
	fmt.Fprintln(out)
	return nil
}
