// SPDX-License-Identifier: Apache-2.0

package netio

import "context"

// Receive waits for a datagram and returns it: its Data is the beginning of buf. A
// datagram that is longer than buf is cut off, and Truncated. An empty datagram is not
// the end of anything.
//
// If an earlier datagram of a connected socket was refused by the peer's machine, the
// error is ECONNREFUSED, once; the socket remains usable.
func (c *PacketConn) Receive(ctx context.Context, buf []byte) (Packet, error) {
	d := &c.in
	if err := d.begin(ctx); err != nil {
		return Packet{}, err
	}
	defer d.release()
	return d.receive(ctx, buf)
}

// receive is Receive for the user of h.
func (d *packetDirection) receive(ctx context.Context, buf []byte) (Packet, error) {
	// The name of the one before may be that of the next one: then it costs no string.
	d.one[0] = Packet{Data: buf[:len(buf):len(buf)], Name: d.last}
	if _, err := d.do(ctx, d.one[:]); err != nil {
		return Packet{}, err
	}
	d.last = d.one[0].Name
	return d.one[0], nil
}

// ReceiveBatch waits for a datagram, and takes as many as are there, up to the number
// of packets. Each is put in the Data of its packet, up to the capacity of that. n
// packets were received, also beside an error.
func (c *PacketConn) ReceiveBatch(ctx context.Context, packets []Packet) (n int, err error) {
	if err := c.in.begin(ctx); err != nil {
		return 0, err
	}
	defer c.in.release()
	return c.in.do(ctx, packets)
}

// Send sends a datagram to p.Addr, or on a UNIX socket to p.Name, and waits until the
// kernel has taken it. On a connected socket both may be empty, and are otherwise the
// peer, or the error is net.ErrWriteToConnected. A datagram may be empty, and may be
// lost.
//
// A UDP datagram is sent from p.Local, an address of this machine, and with the mark
// p.ECN. If p.Local is not valid or a group, and if p.ECN is 0, the system chooses. So
// a packet that was received can be sent back as it is: the answer comes from the
// address that was asked. Where the system lets nobody choose, the error is
// errors.ErrUnsupported; there Receive leaves both fields zero.
//
// ECONNREFUSED on a connected socket means that an earlier datagram was refused by the
// peer's machine, and that this one was not sent. While a task receives, that task gets
// the error.
func (c *PacketConn) Send(ctx context.Context, p Packet) error {
	d := &c.out
	if err := d.begin(ctx); err != nil {
		return err
	}
	defer d.release()
	d.one[0] = p
	_, err := d.send(ctx, d.one[:])
	return err
}

// SendBatch sends packets in order, each as Send does. n were sent, also beside an
// error, which is that of the next one. If one has another peer than a connected socket,
// none is sent.
func (c *PacketConn) SendBatch(ctx context.Context, packets []Packet) (n int, err error) {
	if err := c.out.begin(ctx); err != nil {
		return 0, err
	}
	defer c.out.release()
	return c.out.send(ctx, packets)
}

// send is SendBatch for the user of h.
func (d *packetDirection) send(ctx context.Context, packets []Packet) (int, error) {
	c := d.conn
	for i := range packets {
		if err := c.check(&packets[i]); err != nil {
			return 0, err
		}
	}
	return d.do(ctx, packets)
}
