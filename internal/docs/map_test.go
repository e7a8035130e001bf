// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A section of the map is a heading with the directory of a package, and then one item
// per file. Files that differ only in their operating system share an item.
var (
	mapHeading = regexp.MustCompile("^### `([\\w./]+)`")
	mapItem    = regexp.MustCompile("^\\* ((?:`[\\w./]+\\.(?:go|s)`(?:, )?)+): \\S")
)

// docs/map.md has exactly one item for each Go file of the library.
func TestMapListsEveryFile(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "map.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]int)
	dir := ""
	for line := range strings.Lines(string(text)) {
		if m := mapHeading.FindStringSubmatch(line); m != nil {
			dir = m[1]
		} else if m := mapItem.FindStringSubmatch(line); m != nil {
			for _, name := range span.FindAllStringSubmatch(m[1], -1) {
				listed[path.Join(dir, name[1])]++
			}
		}
	}
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name, err := filepath.Rel(root, file)
		if err != nil {
			t.Fatal(err)
		}
		name = filepath.ToSlash(name)
		if top, _, _ := strings.Cut(name, "/"); slices.Contains([]string{"examples", "benchmarks", "interop", "tools"}, top) {
			continue
		}
		if n := listed[name]; n != 1 {
			t.Errorf("docs/map.md has %d items for %s, want 1", n, name)
		}
		delete(listed, name)
	}
	for name := range listed {
		t.Errorf("docs/map.md lists %s, which does not exist", name)
	}
}

// A walk of docs/map.md names files in the order in which they take part. Every name is
// the path of a file.
func TestWalksNameFiles(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "map.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, walks, ok := strings.Cut(string(text), "\n## Three walks\n")
	walks, _, _ = strings.Cut(walks, "\n## ")
	if !ok || strings.Count(walks, "\n### ") != 3 {
		t.Fatal("docs/map.md has no section with three walks")
	}
	seen := 0
	for _, m := range span.FindAllStringSubmatch(walks, -1) {
		if strings.HasSuffix(m[1], ".go") {
			seen++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil {
				t.Errorf("a walk of docs/map.md names %s: %v", m[1], err)
			}
		}
	}
	if seen < 15 {
		t.Errorf("the walks name only %d files", seen)
	}
}
