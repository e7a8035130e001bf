// SPDX-License-Identifier: Apache-2.0

package layers_test

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

// root is the directory of the module, relative to the directory of this package.
const root = "../.."

// A pkg is what go list reports about a package.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string // of _test.go files inside the package
	XTestImports []string // of the external test package
}

// list returns the packages of the module for a system, without cgo. The flag -e
// lists packages that do not compile too, because only imports matter here.
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
	if !slices.ContainsFunc(pkgs, func(p pkg) bool { return p.ImportPath == module+"/internal/layers" }) {
		t.Fatalf("go list found %d packages, and this one is not among them", len(pkgs))
	}
	return pkgs
}

// watchSources reads every source directory, so that the test cache notices changes.
// go test reuses an old result until a file or directory that the test itself has
// opened changes, and it does not know which files go list has opened.
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
