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

// lockSuffix is the suffix of the file that is locked while a stale file is replaced.
const lockSuffix = ".baton-lock"

// openUnix opens the socket of a UNIX listener. It binds first, and inspects the file only
// if there is one. A name that begins with @ has no file (unix(7), abstract), and a simulated
// world has no files. Errors are *net.OpError. After an error nothing is open.
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

// replaceStale removes the stale file at addr and binds again. The lock protects against
// two servers that replace the file at the same time: the second one could remove the
// socket of the first.
func replaceStale(call string, addr *net.UnixAddr, bind func() error) error {
	unlock, err := lockFile(addr.Name + lockSuffix)
	if err == nil {
		defer unlock()
		if isStale(addr.Name) { // another server may have replaced the file before the lock was taken
			err = os.Remove(addr.Name)
		}
	}
	if err != nil {
		return &net.OpError{Op: call, Net: addr.Network(), Addr: addr, Err: err}
	}
	return bind()
}

// isStale reports whether the file at path belongs to a socket that no process has open any
// more. It connects with a socket of another type, which does not disturb a server: if the
// server is alive, the connect fails with EPROTOTYPE, even before the server listens, and
// otherwise with ECONNREFUSED (connect(2)). Any other error, such as EACCES, may come from
// a live server. The call does not wait.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	network := "unixpacket" // not "unixgram": gVisor returns ECONNREFUSED for it
	if runtime.GOOS == "darwin" {
		network = "unixgram" // darwin has no unixpacket
	}
	conn, err := net.DialUnix(network, nil, &net.UnixAddr{Name: path, Net: network})
	if err == nil {
		_ = conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// A socketFile is the file of a UNIX socket. It keeps more than the name, because the user
// may have put another file in its place.
type socketFile struct {
	path string
	info fs.FileInfo
}

// newSocketFile records the file at path. It returns nil if there is none. The caller has
// just made the file with bind.
func newSocketFile(path string) *socketFile {
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	return &socketFile{path, info}
}

// remove removes the file, unless the file was replaced or is gone, which is not an error.
// The path is the one that was passed to bind, so a program that changes its directory
// needs an absolute path.
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
