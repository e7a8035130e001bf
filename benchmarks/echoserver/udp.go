// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"

	"baton/netio"
)

// echoPackets sends datagrams back until ctx ends.
func (h handler) echoPackets(ctx context.Context, address string, tell listening) error {
	conn, err := netio.ListenPacket(ctx, "udp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	tell(conn.LocalAddr())
	buf := make([]byte, h.buffer)
	for {
		p, err := conn.Receive(ctx, buf)
		if err != nil {
			return err
		}
		if err := conn.Send(ctx, p); err != nil {
			return err
		}
	}
}

// echoDatagrams sends datagrams back until ctx ends, with package net. It returns nil then.
func (h handler) echoDatagrams(ctx context.Context, address string, tell listening) error {
	at, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return err
	}
	conn, err := net.ListenUDP("udp", at)
	if err != nil {
		return err
	}
	defer conn.Close()
	tell(conn.LocalAddr())
	context.AfterFunc(ctx, func() { conn.Close() })
	buf := make([]byte, h.buffer)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		if err == nil {
			_, err = conn.WriteToUDPAddrPort(buf[:n], from)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
