// SPDX-License-Identifier: Apache-2.0

package rooms_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// root is the directory of the module, seen from this package's.
const root = "../.."

// A pkg is what go list tells of a package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string // of _test.go files inside the package
	XTestImports []string // of the external test package
}

// list returns the packages of the module as the go command sees them for a
// system, without cgo. A package that does not compile is listed all the same
// (-e): that is for the compiler to report, here only imports count.
func list(t *testing.T, goos string) []pkg {
	t.Helper()
	goarch := "amd64"
	if goos == "js" {
		goarch = "wasm"
	}
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	var pkgs []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: decode: %v", err)
		}
		pkgs = append(pkgs, p)
	}
	if !slices.ContainsFunc(pkgs, func(p pkg) bool { return p.ImportPath == module+"/internal/rooms" }) {
		t.Fatalf("go list found %d packages, and not even this one", len(pkgs))
	}
	return pkgs
}

// watchSources reads every source directory, for the sake of the test cache
// alone: go test repeats an old verdict until a file or directory that the
// test itself opened has changed, and knows nothing of what go list opened.
func watchSources(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && (d.Name()[0] == '.' || d.Name() == "bin") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
