// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"slices"
	"testing"
)

// house is a small table with one room of every kind.
var house = []room{
	{paths: []string{"ground"}},
	{paths: []string{"groundtest"}, suite: true},
	{paths: []string{"east", "west"}},
	{paths: []string{"internal/stub"}, only: []string{}},
	{paths: []string{"internal/word"}, only: []string{"internal/stub"}},
	{paths: []string{"roof"}},
	{paths: []string{"garden/...", "street/..."}, public: true},
}

// TestCheck: the check can fail, by every rule, and finds no fault elsewhere.
func TestCheck(t *testing.T) {
	imports := func(path string, imports ...string) pkg {
		return pkg{ImportPath: path, Imports: imports}
	}
	cases := []struct {
		name string
		pkg  pkg
		want []breach
	}{
		{"nothing", imports("baton/ground"), nil},
		{"the standard library", imports("baton/ground", "net/http", "unsafe"), nil},
		{"one below", imports("baton/east", "baton/ground"), nil},
		{"two below", imports("baton/roof", "baton/ground", "baton/west"), nil},
		{"internal", imports("baton/roof", "baton/internal/stub", "baton/internal/word"), nil},
		{"internal as listed", imports("baton/internal/word", "baton/internal/stub"), nil},
		{"a foundation", imports("baton/ground", "golang.org/x/sys/unix", "golang.org/x/sync"), nil},
		{"own subtree", imports("baton/garden/tree", "baton/garden", "baton/garden/bush"), nil},

		{"a package in no room", imports("baton/attic", "baton/roof"),
			[]breach{{"baton/attic", "", unlisted}}},
		{"the module's root in no room", imports("baton"),
			[]breach{{"baton", "", unlisted}}},
		{"below a room that is no tree", imports("baton/ground/hole"),
			[]breach{{"baton/ground/hole", "", unlisted}}},
		{"a name that only begins like a room's", imports("baton/gardening"),
			[]breach{{"baton/gardening", "", unlisted}}},
		{"importing a package in no room", imports("baton/roof", "baton/attic"),
			[]breach{{"baton/roof", "baton/attic", unlisted}}},
		{"above", imports("baton/ground", "baton/roof"),
			[]breach{{"baton/ground", "baton/roof", upward}}},
		{"beside", imports("baton/east", "baton/west"),
			[]breach{{"baton/east", "baton/west", upward}}},
		{"the tree beside", imports("baton/garden/tree", "baton/street/lamp"),
			[]breach{{"baton/garden/tree", "baton/street/lamp", upward}}},
		{"internal below its row", imports("baton/east", "baton/internal/stub"),
			[]breach{{"baton/east", "baton/internal/stub", upward}}},
		{"internal imports a room below", imports("baton/internal/stub", "baton/ground"),
			[]breach{{"baton/internal/stub", "baton/ground", upward}}},
		{"internal imports more than listed", imports("baton/internal/word", "baton/ground", "baton/internal/stub"),
			[]breach{{"baton/internal/word", "baton/ground", upward}}},
		{"public imports internal", imports("baton/garden/tree", "baton/internal/stub", "baton/roof"),
			[]breach{{"baton/garden/tree", "baton/internal/stub", hidden}}},
		{"a suite outside tests", imports("baton/roof", "baton/groundtest"),
			[]breach{{"baton/roof", "baton/groundtest", testsOnly}}},
		{"a foreign module", imports("baton/roof", "example.com/tree"),
			[]breach{{"baton/roof", "example.com/tree", foreign}}},
		{"a name that only begins like a foundation's", imports("baton/roof", "golang.org/x/system"),
			[]breach{{"baton/roof", "golang.org/x/system", foreign}}},
		{"goleak outside tests", imports("baton/roof", "go.uber.org/goleak"),
			[]breach{{"baton/roof", "go.uber.org/goleak", foreign}}},
		{"cgo", imports("baton/roof", "C"),
			[]breach{{"baton/roof", "C", foreign}}},
		{"several", imports("baton/ground", "baton/east", "baton/internal/word", "C"),
			[]breach{
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
			[]breach{
				{"baton/ground", "example.com/inner", foreign},
				{"baton/ground", "example.com/outer", foreign},
			}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := check(house, []pkg{c.pkg}); !slices.Equal(got, c.want) {
				t.Errorf("check = %v, want %v", got, c.want)
			}
		})
	}
}
