// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

const module = "baton"

// A room is a row of the table: packages that stand on one level and may
// import what stands in the rows above, but not each other.
type room struct {
	// paths are import paths below the module's. "x/..." is x with all that
	// is under it, and there packages may import each other.
	paths []string

	// only, unless nil, replaces the rows above: the packages of the module
	// that this room may import.
	only []string

	// suite marks a conformance suite: tests import it, programs never.
	suite bool

	// public marks a room that uses the public API, as a user's program does.
	public bool
}

// table is the order of rooms, from the ground up.
var table = []room{
	{paths: []string{"loop/poll"}},
	{paths: []string{"loop/poll/polltest"}, suite: true},
	{paths: []string{"loop/poll/internal/ancillary", "loop/poll/internal/multicast", "loop/poll/internal/pipe"}, only: []string{}},
	{paths: []string{"loop/poll/epoll", "loop/poll/portable", "loop/poll/uring", "loop/poll/virtual"}},
	{paths: []string{"internal/bridge", "internal/docs", "internal/gid", "internal/prefetch", "internal/rooms", "internal/saturate", "internal/stack"}, only: []string{}},
	{paths: []string{"internal/holder"}, only: []string{"internal/gid"}},
	{paths: []string{"loop"}},
	{paths: []string{"loop/looptest"}, suite: true},
	{paths: []string{"internal/relay"}},
	{paths: []string{"task"}},
	{paths: []string{"await"}},
	{paths: []string{"locks"}},
	{paths: []string{"netio/internal/record"}, only: []string{}},
	{paths: []string{"netio"}},
	{paths: []string{"netio/protocol"}},
	{paths: []string{"netio/protocol/protocoltest"}, suite: true},
	{paths: []string{"netio/httpio"}},
	{paths: []string{"netio/file"}},
	{paths: []string{"netio/process"}},
	{paths: []string{"netio/terminal"}},
	{paths: []string{"sim"}},
	{paths: []string{"task/inspect"}},
	{paths: []string{"examples/...", "benchmarks/..."}, public: true},
}

// The only modules baton stands on. A user's dependency graph grows by these
// and by nothing else; what needs more lives in a nested module.
var (
	foundations     = []string{"golang.org/x/sync", "golang.org/x/sys"}
	testFoundations = []string{"golang.org/x/sync", "golang.org/x/sys", "go.uber.org/goleak"}
)

// A breach is one broken rule: the package, what it imports, and the rule.
type breach struct {
	pkg, imports string
	rule         rule
}

type rule string

const (
	unlisted  rule = "stands in no room: add it to the table"
	upward    rule = "is not in a room below"
	hidden    rule = "is internal; this room uses the public API only"
	testsOnly rule = "is a conformance suite, for tests only"
	foreign   rule = "is not one of the modules baton stands on: move what needs it to a nested module"
)

func (b breach) String() string {
	if b.imports == "" {
		return b.pkg + " " + string(b.rule)
	}
	return b.pkg + " imports " + b.imports + ", which " + string(b.rule)
}

// check returns what breaks the table, in the order of pkgs and their imports.
func check(rooms []room, pkgs []pkg) []breach {
	var broken []breach
	for _, p := range pkgs {
		at, own := find(rooms, p.ImportPath)
		if at < 0 {
			broken = append(broken, breach{p.ImportPath, "", unlisted})
			continue
		}
		for _, imp := range p.Imports {
			if r := judge(rooms, at, own, imp); r != "" {
				broken = append(broken, breach{p.ImportPath, imp, r})
			}
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			if !inModule(imp) && !within(testFoundations, imp) {
				broken = append(broken, breach{p.ImportPath, imp, foreign})
			}
		}
	}
	return broken
}

// judge returns the rule that is broken when a package of row at, listed there
// as own, imports imp, or "".
func judge(rooms []room, at int, own, imp string) rule {
	if !inModule(imp) {
		if !within(foundations, imp) {
			return foreign
		}
		return ""
	}
	target, listed := find(rooms, imp)
	internal := strings.HasPrefix(imp, module+"/internal/")
	switch {
	case target < 0:
		return unlisted
	case target == at && listed == own && strings.HasSuffix(own, "/..."):
		return ""
	case rooms[at].only != nil && !slices.Contains(rooms[at].only, listed):
		return upward
	case target >= at:
		return upward
	case rooms[target].suite:
		return testsOnly
	case internal && rooms[at].public:
		return hidden
	}
	return ""
}

// find returns the row that an import path stands in and its listing there,
// or -1.
func find(rooms []room, path string) (int, string) {
	below, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return -1, ""
	}
	for i, r := range rooms {
		for _, listed := range r.paths {
			tree, wild := strings.CutSuffix(listed, "/...")
			if below == tree || wild && strings.HasPrefix(below, tree+"/") {
				return i, listed
			}
		}
	}
	return -1, ""
}

func inModule(path string) bool {
	return path == module || strings.HasPrefix(path, module+"/")
}

// within reports whether path is of the standard library or of one of the
// modules. Only paths of the standard library have no dot in their first part;
// cgo's "C" is refused, since baton builds without a C compiler.
func within(modules []string, path string) bool {
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return path != "C"
	}
	return slices.ContainsFunc(modules, func(m string) bool {
		return path == m || strings.HasPrefix(path, m+"/")
	})
}

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// TestRooms asks for each system in turn: imports differ with the build tags.
func TestRooms(t *testing.T) {
	watchSources(t)
	for _, goos := range []string{"linux", "darwin", "windows", "js"} {
		t.Run(goos, func(t *testing.T) {
			for _, b := range check(table, list(t, goos)) {
				t.Error(b)
			}
		})
	}
}
