// SPDX-License-Identifier: Apache-2.0

package layers_test

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// No code depends on the path of the module: reports of a copy of the library under
// another path name the same functions.
func TestModulePathCanChange(t *testing.T) {
	const root, path = "../..", "example.org/relay.v2"
	dir := t.TempDir()
	copyRenamed(t, "testdata/renamed", dir, path)
	for _, tree := range []string{"loop", "task", "await", "internal"} {
		copyRenamed(t, filepath.Join(root, tree), filepath.Join(dir, tree), path)
	}
	mod := read(t, filepath.Join(root, "go.mod"))
	write(t, filepath.Join(dir, "go.mod"), bytes.Replace(mod, []byte("module "+module+"\n"), []byte("module "+path+"\n"), 1))
	write(t, filepath.Join(dir, "go.sum"), read(t, filepath.Join(root, "go.sum")))

	cmd := exec.Command("go", "run", "-mod=mod", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"slow: loop: task 1 (main.main.func2) of loop ",
		"slow: loop: a step of loop ",
		"main.slowTask(",
		"main.slowCallback(",
		path + "/internal/relay.(*Worker).main(",
		path + "/loop.(*Loop).run(",
		"misuse: await: Sleep with the context of task 1 ",
		"callback: main.main.func2.2 scheduled at " + filepath.Join(dir, "main.go") + ":",
	} {
		if n := bytes.Count(out, []byte(want)); n != 2 { // one for each handoff
			t.Errorf("%d of 2 reports have %q", n, want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

// copyRenamed copies the source files below from, without tests. The copies import the
// packages of the module by another path.
func copyRenamed(t *testing.T, from, to, path string) {
	t.Helper()
	err := filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if ext := filepath.Ext(name); ext != ".go" && ext != ".s" || strings.Contains(rel, "testdata") {
			return nil
		}
		source := read(t, name)
		if filepath.Ext(name) == ".go" {
			source = renamed(t, name, source, path)
		}
		write(t, filepath.Join(to, rel), source)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// renamed returns a Go file in which only the paths of its imports are changed.
func renamed(t *testing.T, name string, source []byte, path string) []byte {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range slices.Backward(file.Imports) { // so that earlier positions stay valid
		imported, _ := strconv.Unquote(spec.Path.Value)
		if below, ok := strings.CutPrefix(imported, module+"/"); ok {
			at := int(spec.Path.Pos()) - int(file.FileStart)
			source = slices.Replace(source, at, at+len(spec.Path.Value), []byte(strconv.Quote(path+"/"+below))...)
		}
	}
	return source
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o644); err != nil {
		t.Fatal(err)
	}
}
