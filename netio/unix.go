// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"baton/loop/poll"
	"baton/task"
)

// openUnix makes the socket of a UNIX listener. It binds first and looks at what
// is in the way only then, so the usual case asks the file system nothing. A name
// that begins with @ has no file (unix(7), abstract), and neither has one of a
// virtual world.
//
// It may switch, if something is in the way. Two processes that replace the same
// stale file at the same moment may both succeed, and the later one has the name:
// who starts several needs a lock of his own. Errors are [*net.OpError], or the
// [*task.Canceled] of a cancel; nothing is open then.
func (l *Listener) openUnix(ctx context.Context, c ListenConfig, t target) error {
	addr := &net.UnixAddr{Name: t.text, Net: "unix"}
	err := l.add(c, addr)
	onDisk := !strings.HasPrefix(t.text, "@") && !l.loop.Poller().Caps().Has(poll.Virtual)
	if errors.Is(err, syscall.EADDRINUSE) && onDisk {
		stale, failure := l.isStale(ctx, addr)
		if failure != nil {
			return failure
		}
		if stale {
			if failure := os.Remove(addr.Name); failure != nil && !errors.Is(failure, fs.ErrNotExist) {
				return &net.OpError{Op: "listen", Net: "unix", Addr: addr, Err: failure}
			}
			err = l.add(c, addr)
		}
	}
	if err != nil {
		return err
	}
	if onDisk && !c.KeepFile {
		l.file = newSocketFile(addr.Name)
	}
	return nil
}

// isStale reports whether the file at addr is a socket on which nobody listens:
// only a connect can tell, by ECONNREFUSED. Any other answer, a full queue or no
// permission, is somebody's, and a file of another kind is not ours to remove. The
// error is that of a cancel. A listener that is alive sees a connection that ends
// at once.
func (l *Listener) isStale(ctx context.Context, addr *net.UnixAddr) (bool, error) {
	info, err := os.Lstat(addr.Name)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false, nil
	}
	q := newQuery(l.loop, fmt.Sprintf("whether anybody listens on %s", addr))
	q.op.Kind, q.op.Addr = poll.Connect, addr
	err = q.run(ctx)
	if _, canceled := err.(*task.Canceled); canceled {
		return false, err
	}
	if err == nil {
		_ = q.op.Handle.Close() // it was only a question
	}
	return errors.Is(err, syscall.ECONNREFUSED), nil
}

// A socketFile is the file of a UNIX socket. It is known by more than its name:
// somebody may have put another one in its place.
type socketFile struct {
	path string
	info fs.FileInfo
}

// newSocketFile remembers the file at path, or returns nil if there is none. It is
// called right after the bind that made it; who replaces it in between is too fast
// to be told apart.
func newSocketFile(path string) *socketFile {
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	return &socketFile{path, info}
}

// remove removes the file unless it was replaced or is gone, neither of which is an
// error. The path is as it was given to bind, so a program that has changed its
// directory since needs an absolute one.
func (f *socketFile) remove() error {
	info, err := os.Lstat(f.path)
	if err != nil || !os.SameFile(f.info, info) {
		return nil
	}
	if err := os.Remove(f.path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
