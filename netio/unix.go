// SPDX-License-Identifier: Apache-2.0

package netio

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"

	"baton/loop/poll"
)

// lockSuffix makes the name of the file that is locked while a stale one is replaced.
const lockSuffix = ".baton-lock"

// openUnix makes the socket of a UNIX listener. It binds first, and looks at the
// file only if there is one. A name that begins with @ has no file (unix(7),
// abstract), and neither has one of a virtual world. Errors are [*net.OpError];
// nothing is open then.
func (l *Listener) openUnix(c ListenConfig, t target) error {
	addr := &net.UnixAddr{Name: t.text, Net: "unix"}
	onDisk := !strings.HasPrefix(t.text, "@") && !l.loop.Poller().Caps().Has(poll.Virtual)
	err := l.add(c, addr)
	if onDisk && errors.Is(err, syscall.EADDRINUSE) && isStale(addr.Name) {
		err = replaceStale("listen", addr, func() error { return l.add(c, addr) })
	}
	if err == nil && onDisk && !c.KeepFile {
		l.file = newSocketFile(addr.Name)
	}
	return err
}

// replaceStale removes the stale file at addr and makes the socket, by bind. The lock
// is for two servers that replace the file at the same time: the second one could
// remove the socket of the first.
func replaceStale(call string, addr *net.UnixAddr, bind func() error) error {
	unlock, err := lockFile(addr.Name + lockSuffix)
	if err == nil {
		defer unlock()
		if isStale(addr.Name) { // it may have been replaced before the lock was taken
			err = os.Remove(addr.Name)
		}
	}
	if err != nil {
		return &net.OpError{Op: call, Net: addr.Network(), Addr: addr, Err: err}
	}
	return bind()
}

// isStale reports whether the file at path is that of a socket which no process has
// open any more. A connect by a socket of another type tells, and does not disturb
// a server: if the server is alive it fails with EPROTOTYPE, also before the server
// listens, and otherwise with ECONNREFUSED (connect(2)). Every other result, such as
// EACCES, may be that of a live server. The call does not wait.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	network := "unixpacket" // not "unixgram", to which gVisor says ECONNREFUSED
	if runtime.GOOS == "darwin" {
		network = "unixgram" // it has no packets
	}
	conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network})
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// A socketFile is the file of a UNIX socket. It is known by more than its name: the
// user may have put another one in its place.
type socketFile struct {
	path string
	info fs.FileInfo
}

// newSocketFile remembers the file at path, or returns nil if there is none. It is
// called right after the bind that made the file.
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
