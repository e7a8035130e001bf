// SPDX-License-Identifier: Apache-2.0

//go:build !darwin && !dragonfly && !freebsd && !linux && !netbsd && !openbsd

package terminal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
)

func unsupported(op string, f *os.File) error {
	return &fs.PathError{Op: op, Path: f.Name(), Err: errors.ErrUnsupported}
}

func withinRaw(_ context.Context, f *os.File, _ func(ctx context.Context) error) error {
	return unsupported("raw", f)
}

func withinSilent(_ context.Context, f *os.File, _ func(ctx context.Context) error) error {
	return unsupported("silence", f)
}

func isTerminal(*os.File) bool { return false }

func size(f *os.File) (Size, error) { return Size{}, unsupported("size", f) }

// sizeChanged is not used, because size always fails on this system.
const sizeChanged = syscall.SIGINT
