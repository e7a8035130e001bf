// SPDX-License-Identifier: Apache-2.0

package layers_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fileOrder lists the files of a package. A file uses only declarations of earlier
// files.
var fileOrder = map[string][]string{
	"task": {
		"doc.go",
		// Without tasks.
		"handoff.go", "errors.go", "panic.go", "canceled.go", "stdcontext.go", "callback.go", "foreign.go",
		// The data and its names.
		"state.go", "name.go",
		// One step, and the tree of contexts.
		"step.go", "tasklist.go", "context.go", "cancel.go", "identity.go", "follow.go", "self.go", "limit.go",
		// Waiting.
		"park.go", "waitqueue.go", "future.go", "ref.go", "report.go", "deadlock.go",
		// Scopes and tasks.
		"scope.go", "end.go", "worker.go", "baton.go", "task.go", "scoperef.go", "portal.go",
		// Running.
		"run.go", "program.go", "main.go", "bridge.go",
	},
}

func TestFilesDependDownwards(t *testing.T) {
	for pkg, order := range fileOrder {
		t.Run(pkg, func(t *testing.T) {
			later, files := laterUses(t, pkg, order)
			for _, file := range files {
				if !slices.Contains(order, file) {
					t.Errorf("%s/%s is not in fileOrder: add it", pkg, file)
				}
			}
			for _, use := range later {
				t.Error(use)
			}
		})
	}
}

// laterUses returns the uses of declarations of later files, and the names of all files.
func laterUses(t *testing.T, pkg string, order []string) (uses, names []string) {
	t.Helper()
	dir := filepath.Join("../..", pkg)
	set := token.NewFileSet()
	var files []*ast.File
	for _, path := range must(filepath.Glob(filepath.Join(dir, "*.go")))(t) {
		if !strings.HasSuffix(path, "_test.go") {
			files = append(files, must(parser.ParseFile(set, path, nil, 0))(t))
			names = append(names, filepath.Base(path))
		}
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	checked, err := (&types.Config{Importer: compiled(t, set, dir)}).Check(module+"/"+pkg, set, files, info)
	if err != nil {
		t.Fatal(err)
	}
	at := func(pos token.Pos) (string, int) {
		file := filepath.Base(set.Position(pos).Filename)
		return file, slices.Index(order, file)
	}
	found := make(map[string]bool)
	for id, obj := range info.Uses {
		if obj.Pkg() != checked || !obj.Pos().IsValid() {
			continue
		}
		user, low := at(id.Pos())
		owner, high := at(obj.Pos())
		if low < high {
			found[fmt.Sprintf("%s uses %s of %s, which comes later", user, obj.Name(), owner)] = true
		}
	}
	for use := range found {
		uses = append(uses, use)
	}
	slices.Sort(uses)
	return uses, names
}

// compiled returns an importer of the compiled dependencies of the package in dir.
func compiled(t *testing.T, set *token.FileSet, dir string) types.Importer {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", ".")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	exports := make(map[string]string)
	for line := range strings.Lines(string(must(cmd.Output())(t))) {
		if path, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			exports[path] = file
		}
	}
	return importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
}

// must returns v, or ends the test.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
