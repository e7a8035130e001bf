// SPDX-License-Identifier: Apache-2.0

package epoll

import "time"

// DozeFor has p doze for d instead of dozeTime.
func (p *Poller) DozeFor(d time.Duration) { p.sleeper.(*nested).doze.limit = d }

// Dozes is how often p has dozed.
func (p *Poller) Dozes() uint { return p.sleeper.(*nested).doze.count }

// Armed reports whether an event of p's would wake the thread that waits in Go's
// network poller.
func (p *Poller) Armed() bool { return p.sleeper.(*nested).armed }

// Zone translates the zone of a datagram's address to its number and back.
func Zone(zone string) string {
	var m messages
	return m.zone(m.zoneID(zone))
}
