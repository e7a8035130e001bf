// SPDX-License-Identifier: Apache-2.0

package netio

import "net"

// disturbed is a socket whose system calls fail at first.
type disturbed struct {
	rawSocket
	errs     []error
	connects int
}

// Disturb makes the next receives, sends and accepts of s fail with errs, one error per call,
// before they reach the kernel. A connect reaches the kernel and then fails. Disturb returns a
// pointer to the number of connects.
func Disturb(s *Socket, errs ...error) (connects *int) {
	d := &disturbed{rawSocket: s.raw, errs: errs}
	s.raw = d
	return &d.connects
}

func (d *disturbed) next() error {
	if len(d.errs) == 0 {
		return nil
	}
	err := d.errs[0]
	d.errs = d.errs[1:]
	return err
}

func (d *disturbed) receive(p []byte) (int, error) {
	if err := d.next(); err != nil {
		return 0, err
	}
	return d.rawSocket.receive(p)
}

func (d *disturbed) send(p []byte) (int, error) {
	if err := d.next(); err != nil {
		return 0, err
	}
	return d.rawSocket.send(p)
}

func (d *disturbed) connect(to net.Addr) error {
	d.connects++
	err := d.rawSocket.connect(to)
	if disturbance := d.next(); disturbance != nil {
		return disturbance
	}
	return err
}

func (d *disturbed) accept() (uintptr, net.Addr, error) {
	if err := d.next(); err != nil {
		return 0, nil, err
	}
	return d.rawSocket.accept()
}
