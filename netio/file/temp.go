// SPDX-License-Identifier: Apache-2.0

package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"baton/task"
)

// maxTries is how many names are tried.
const maxTries = 10_000

// CreateTemp creates a file in dir and opens it for reading and writing, as os.CreateTemp does.
// An empty dir means os.TempDir. The name is the pattern with a random number in the place of
// the last asterisk, or at the end if there is none. The caller removes the file. In a
// simulated world the seed determines the number.
func CreateTemp(ctx context.Context, dir, pattern string) (f *File, err error) {
	_, err = temporary(ctx, "createtemp", dir, pattern, func(name string) error {
		f, err = OpenFile(ctx, name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	return f, err
}

// MkdirTemp makes a directory in dir and returns its path, as os.MkdirTemp does. It chooses the
// name as [CreateTemp] does. The caller removes the directory.
func MkdirTemp(ctx context.Context, dir, pattern string) (string, error) {
	return temporary(ctx, "mkdirtemp", dir, pattern, func(name string) error {
		return Mkdir(ctx, name, 0o700)
	})
}

// temporary calls create with random names until create finds a name that is not in use. It
// returns that name.
func temporary(ctx context.Context, op, dir, pattern string, create func(name string) error) (string, error) {
	if strings.ContainsFunc(pattern, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(byte(r)) }) {
		return "", &fs.PathError{Op: op, Path: pattern, Err: errors.New("pattern contains path separator")}
	}
	if dir == "" {
		dir = os.TempDir()
	}
	prefix, suffix := pattern, ""
	if i := strings.LastIndexByte(pattern, '*'); i >= 0 {
		prefix, suffix = pattern[:i], pattern[i+1:]
	}
	for try := 1; ; try++ {
		number := strconv.FormatUint(uint64(task.Loop(ctx).Rand().Uint32()), 10)
		name := filepath.Join(dir, prefix+number+suffix)
		switch err := create(name); {
		case err == nil:
			return name, nil
		case errors.Is(err, fs.ErrExist) && try < maxTries:
		case errors.Is(err, fs.ErrExist):
			return "", &fs.PathError{Op: op, Path: prefix + "*" + suffix, Err: fs.ErrExist}
		default:
			return "", err
		}
	}
}
