// SPDX-License-Identifier: Apache-2.0

package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every exported type of a public package has an example: a function Example that is
// named after the type, or code of an example that names the type.
func TestEveryTypeHasAnExample(t *testing.T) {
	files, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	var dirs []string
	for _, file := range files {
		if dir := filepath.Dir(file); isPublic(dir) && !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if len(dirs) < 10 {
		t.Fatalf("found only %d public packages", len(dirs))
	}
	for _, dir := range dirs {
		shown := shownTypes(t, dir)
		for _, typ := range exportedTypes(t, dir) {
			if !shown[typ] {
				t.Errorf("%s.%s has no example", filepath.ToSlash(dir[len(root)+1:]), typ)
			}
		}
	}
}

// isPublic reports whether dir contains a package of the library that users import.
// Conformance suites are for implementers, and are excluded.
func isPublic(dir string) bool {
	rel, err := filepath.Rel(root, dir)
	if err != nil || rel == "." {
		return false
	}
	parts := strings.Split(filepath.ToSlash(rel), "/")
	if slices.Contains(parts, "internal") || strings.HasSuffix(path.Base(filepath.ToSlash(rel)), "test") {
		return false
	}
	return !slices.Contains([]string{"examples", "benchmarks", "interop", "tools"}, parts[0])
}

// parseDir parses the Go files in dir for which want returns true.
func parseDir(t *testing.T, dir string, want func(name string) bool) []*ast.File {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || !want(e.Name()) {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// exportedTypes returns the names of the exported types that the package in dir declares.
func exportedTypes(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	for _, file := range parseDir(t, dir, func(name string) bool { return !isTest(name) }) {
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() && !slices.Contains(names, s.Name.Name) {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}

// shownTypes returns the names that the examples of the package in dir use: in the name
// of an example, or qualified by the package in a file named example_*_test.go.
func shownTypes(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files := parseDir(t, dir, func(name string) bool { return isTest(name) && strings.HasPrefix(name, "example") })
	pkg := filepath.Base(dir)
	shown := make(map[string]bool)
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if name, ok := strings.CutPrefix(n.Name.Name, "Example"); ok {
					typ, _, _ := strings.Cut(name, "_")
					shown[typ] = true
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == pkg {
					shown[n.Sel.Name] = true
				}
			}
			return true
		})
	}
	return shown
}
