// SPDX-License-Identifier: Apache-2.0

package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

//go:embed echoserver/c/echo.c
var echoC []byte

// The programs that the echo and http rows run are built when the first of these rows
// needs them, in a directory that removePrograms removes.
var (
	workshop = sync.OnceValues(func() (dir string, err error) {
		return os.MkdirTemp("", "baton-benchmarks-")
	})

	// goPrograms is the directory of echoserver, echoload, httpserver and httpclient.
	goPrograms = sync.OnceValues(func() (dir string, err error) {
		if dir, err = workshop(); err != nil {
			return "", err
		}
		return dir, build("go", "build", "-o", dir, "baton/benchmarks/echoserver", "baton/benchmarks/echoload",
			"baton/benchmarks/httpserver", "baton/benchmarks/httpclient")
	})

	// cServer is the path of the server in C.
	cServer = sync.OnceValues(func() (path string, err error) {
		cc, err := compiler()
		if err != nil {
			return "", err
		}
		dir, err := workshop()
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, "echo")
		source := path + ".c"
		if err := os.WriteFile(source, echoC, 0o600); err != nil {
			return "", err
		}
		return path, build(cc, "-O2", "-o", path, source)
	})
)

// removePrograms removes what was built.
func removePrograms() error {
	dir, err := workshop() // made for nothing if no row has needed it
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// compiler finds the C compiler, as make does.
func compiler() (string, error) {
	name := os.Getenv("CC")
	if name == "" {
		name = "cc"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("no C compiler: %w", err)
	}
	return path, nil
}

// build runs a compiler; what it says becomes part of the error.
func build(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
