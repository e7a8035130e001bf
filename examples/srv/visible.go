// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"net/http"
	"slices"
	"strings"
)

// hidden reports whether a path has a part that begins with a dot.
func hidden(path string) bool { return strings.Contains(path, "/.") }

// A visible has the files of a FileSystem that are not hidden.
type visible struct{ http.FileSystem }

// Open opens a file. A hidden one does not exist.
func (v visible) Open(name string) (http.File, error) {
	if hidden(name) {
		return nil, fs.ErrNotExist
	}
	f, err := v.FileSystem.Open(name)
	return visibleFile{f}, err
}

// A visibleFile is a file, or a directory without what is hidden.
type visibleFile struct{ http.File }

// Readdir lists a directory.
func (f visibleFile) Readdir(n int) ([]fs.FileInfo, error) {
	list, err := f.File.Readdir(n)
	return slices.DeleteFunc(list, func(info fs.FileInfo) bool { return hidden("/" + info.Name()) }), err
}
