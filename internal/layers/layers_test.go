// SPDX-License-Identifier: Apache-2.0

package layers_test

import (
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

const module = "baton"

// A layer is a row of the table. Its packages may import packages of earlier rows,
// but not each other.
type layer struct {
	// paths are import paths relative to the module. "." is the root package.
	// "x/..." is x with all packages below it, and these may import each other.
	paths []string

	// only, unless nil, lists the packages of the module that this layer may import,
	// instead of all earlier rows.
	only []string

	// suite marks a conformance suite. Only tests import a suite.
	suite bool

	// public marks a layer that uses the public API only, as a user's program does.
	public bool
}

// table lists the layers, the lowest one first.
var table = []layer{
	{paths: []string{"."}, only: []string{}},
	{paths: []string{"loop/poll"}},
	{paths: []string{"loop/poll/polltest"}, suite: true},
	{paths: []string{"loop/poll/internal/ancillary", "loop/poll/internal/multicast", "loop/poll/internal/pipe"}, only: []string{}},
	{paths: []string{"loop/poll/epoll", "loop/poll/portable", "loop/poll/uring", "loop/poll/virtual"}},
	{paths: []string{"internal/bridge", "internal/docs", "internal/gid", "internal/layers", "internal/porttest", "internal/prefetch", "internal/saturate", "internal/stack"}, only: []string{}},
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

// The modules that baton requires. Nothing else enters the dependency graph of a
// user. Code that needs more belongs in a nested module.
var (
	dependencies     = []string{"golang.org/x/sync", "golang.org/x/sys"}
	testDependencies = []string{"golang.org/x/sync", "golang.org/x/sys", "go.uber.org/goleak"}
)

// A violation is a package that breaks a rule by an import.
type violation struct {
	pkg, imports string
	rule         rule
}

type rule string

const (
	unlisted  rule = "is not in the table: add it"
	upward    rule = "is not in a lower layer"
	hidden    rule = "is internal; this layer uses the public API only"
	testsOnly rule = "is a conformance suite, for tests only"
	foreign   rule = "is not a module that baton requires: move the code that needs it to a nested module"
)

func (b violation) String() string {
	if b.imports == "" {
		return b.pkg + " " + string(b.rule)
	}
	return b.pkg + " imports " + b.imports + ", which " + string(b.rule)
}

// check returns the violations of the table, in the order of pkgs and their imports.
func check(layers []layer, pkgs []pkg) []violation {
	var broken []violation
	for _, p := range pkgs {
		at, own := find(layers, p.ImportPath)
		if at < 0 {
			broken = append(broken, violation{p.ImportPath, "", unlisted})
			continue
		}
		for _, imp := range p.Imports {
			if r := judge(layers, at, own, imp); r != "" {
				broken = append(broken, violation{p.ImportPath, imp, r})
			}
		}
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			if !inModule(imp) && !within(testDependencies, imp) {
				broken = append(broken, violation{p.ImportPath, imp, foreign})
			}
		}
	}
	return broken
}

// judge returns the rule that a package breaks by importing imp, or "". The package
// is listed as own in row at.
func judge(layers []layer, at int, own, imp string) rule {
	if !inModule(imp) {
		if !within(dependencies, imp) {
			return foreign
		}
		return ""
	}
	target, listed := find(layers, imp)
	internal := strings.HasPrefix(imp, module+"/internal/")
	switch {
	case target < 0:
		return unlisted
	case target == at && listed == own && strings.HasSuffix(own, "/..."):
		return ""
	case layers[at].only != nil && !slices.Contains(layers[at].only, listed):
		return upward
	case target >= at:
		return upward
	case layers[target].suite:
		return testsOnly
	case internal && layers[at].public:
		return hidden
	}
	return ""
}

// find returns the row of an import path and the entry of that row which matches the
// path, or -1.
func find(layers []layer, path string) (int, string) {
	below, ok := strings.CutPrefix(path, module+"/")
	switch {
	case path == module:
		below = "."
	case !ok:
		return -1, ""
	}
	for i, r := range layers {
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

// within reports whether path belongs to the standard library or to one of the
// modules. Only paths of the standard library have no dot in their first part. The
// import "C" of cgo is refused, because baton builds without a C compiler.
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

// Imports depend on build tags, so the test checks four systems.
func TestImports(t *testing.T) {
	watchSources(t)
	for _, goos := range []string{"linux", "darwin", "windows", "js"} {
		t.Run(goos, func(t *testing.T) {
			for _, b := range check(table, list(t, goos)) {
				t.Error(b)
			}
		})
	}
}
