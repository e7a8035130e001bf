// SPDX-License-Identifier: Apache-2.0

package layers_test

import (
	"slices"
	"testing"
)

// sample is a small table with one layer of every kind.
var sample = []layer{
	{paths: []string{"ground"}},
	{paths: []string{"groundtest"}, suite: true},
	{paths: []string{"east", "west"}},
	{paths: []string{"internal/stub"}, only: []string{}},
	{paths: []string{"internal/word"}, only: []string{"internal/stub"}},
	{paths: []string{"roof"}},
	{paths: []string{"garden/...", "street/..."}, public: true},
}

// The check fails for every rule, and passes everything else.
func TestCheckFindsEachViolation(t *testing.T) {
	imports := func(path string, imports ...string) pkg {
		return pkg{ImportPath: path, Imports: imports}
	}
	cases := []struct {
		name string
		pkg  pkg
		want []violation
	}{
		{"nothing", imports("baton/ground"), nil},
		{"the standard library", imports("baton/ground", "net/http", "unsafe"), nil},
		{"one below", imports("baton/east", "baton/ground"), nil},
		{"two below", imports("baton/roof", "baton/ground", "baton/west"), nil},
		{"internal", imports("baton/roof", "baton/internal/stub", "baton/internal/word"), nil},
		{"internal as listed", imports("baton/internal/word", "baton/internal/stub"), nil},
		{"a dependency", imports("baton/ground", "golang.org/x/sys/unix", "golang.org/x/sync"), nil},
		{"own subtree", imports("baton/garden/tree", "baton/garden", "baton/garden/bush"), nil},

		{"a package in no layer", imports("baton/attic", "baton/roof"),
			[]violation{{"baton/attic", "", unlisted}}},
		{"the root package, if it is not listed", imports("baton"),
			[]violation{{"baton", "", unlisted}}},
		{"below a layer that is no tree", imports("baton/ground/hole"),
			[]violation{{"baton/ground/hole", "", unlisted}}},
		{"a name that only begins like a layer's", imports("baton/gardening"),
			[]violation{{"baton/gardening", "", unlisted}}},
		{"importing a package in no layer", imports("baton/roof", "baton/attic"),
			[]violation{{"baton/roof", "baton/attic", unlisted}}},
		{"above", imports("baton/ground", "baton/roof"),
			[]violation{{"baton/ground", "baton/roof", upward}}},
		{"beside", imports("baton/east", "baton/west"),
			[]violation{{"baton/east", "baton/west", upward}}},
		{"the tree beside", imports("baton/garden/tree", "baton/street/lamp"),
			[]violation{{"baton/garden/tree", "baton/street/lamp", upward}}},
		{"internal below its row", imports("baton/east", "baton/internal/stub"),
			[]violation{{"baton/east", "baton/internal/stub", upward}}},
		{"internal imports a lower layer", imports("baton/internal/stub", "baton/ground"),
			[]violation{{"baton/internal/stub", "baton/ground", upward}}},
		{"internal imports more than listed", imports("baton/internal/word", "baton/ground", "baton/internal/stub"),
			[]violation{{"baton/internal/word", "baton/ground", upward}}},
		{"public imports internal", imports("baton/garden/tree", "baton/internal/stub", "baton/roof"),
			[]violation{{"baton/garden/tree", "baton/internal/stub", hidden}}},
		{"a suite outside tests", imports("baton/roof", "baton/groundtest"),
			[]violation{{"baton/roof", "baton/groundtest", testsOnly}}},
		{"a foreign module", imports("baton/roof", "example.com/tree"),
			[]violation{{"baton/roof", "example.com/tree", foreign}}},
		{"a name that only begins like a dependency's", imports("baton/roof", "golang.org/x/system"),
			[]violation{{"baton/roof", "golang.org/x/system", foreign}}},
		{"goleak outside tests", imports("baton/roof", "go.uber.org/goleak"),
			[]violation{{"baton/roof", "go.uber.org/goleak", foreign}}},
		{"cgo", imports("baton/roof", "C"),
			[]violation{{"baton/roof", "C", foreign}}},
		{"several", imports("baton/ground", "baton/east", "baton/internal/word", "C"),
			[]violation{
				{"baton/ground", "baton/east", upward},
				{"baton/ground", "baton/internal/word", upward},
				{"baton/ground", "C", foreign},
			}},

		{"tests may look up", pkg{ImportPath: "baton/ground", XTestImports: []string{
			"baton/groundtest", "baton/roof", "go.uber.org/goleak", "testing"}}, nil},
		{"inner tests may use goleak", pkg{ImportPath: "baton/ground",
			TestImports: []string{"go.uber.org/goleak"}}, nil},
		{"tests with a foreign module", pkg{ImportPath: "baton/ground",
			TestImports: []string{"example.com/inner"}, XTestImports: []string{"example.com/outer"}},
			[]violation{
				{"baton/ground", "example.com/inner", foreign},
				{"baton/ground", "example.com/outer", foreign},
			}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := check(sample, []pkg{c.pkg}); !slices.Equal(got, c.want) {
				t.Errorf("check = %v, want %v", got, c.want)
			}
		})
	}
}
