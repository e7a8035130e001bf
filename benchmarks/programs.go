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

// The first row that needs the programs of the echo and http rows builds them, in a directory that
// removePrograms removes.
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

// removePrograms removes the directory of the programs.
func removePrograms() error {
	dir, err := workshop() // created here if no row has needed it
	if err != nil {
		return err
	}
	return os.RemoveAll(dir)
}

// compiler returns the C compiler, which it finds as make does.
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

// build runs a compiler. An error contains the output of the compiler.
func build(name string, args ...string) error {
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}
