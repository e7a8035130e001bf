// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
)

// hidden reports whether an element of a path begins with a dot.
func hidden(path string) bool { return strings.Contains(path, "/.") }

// A visible is a file system with the files of root that are not hidden.
type visible struct{ root *os.Root }

// Open opens a file. Hidden files do not exist. A regular file is returned as an *os.File,
// which the kernel can send.
func (v visible) Open(name string) (http.File, error) {
	if hidden(name) {
		return nil, fs.ErrNotExist
	}
	f, err := v.root.Open(path.Join(".", name))
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		_ = f.Close()
		return nil, err
	case info.IsDir():
		return visibleDir{f}, nil
	}
	return f, nil
}

// A visibleDir is a directory without its hidden files.
type visibleDir struct{ http.File }

// Readdir lists the files that are not hidden.
func (d visibleDir) Readdir(n int) ([]fs.FileInfo, error) {
	list, err := d.File.Readdir(n)
	return slices.DeleteFunc(list, func(info fs.FileInfo) bool { return hidden("/" + info.Name()) }), err
}
