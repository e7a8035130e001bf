// SPDX-License-Identifier: Apache-2.0

package epoll

import "time"

// DozeFor sets the longest doze of p to d instead of dozeTime.
func (p *Poller) DozeFor(d time.Duration) { p.sleeper.(*nested).doze.limit = d }

// Dozes returns the number of dozes of p.
func (p *Poller) Dozes() uint { return p.sleeper.(*nested).doze.count }

// Armed reports whether an event of p would wake the thread that waits in Go's network poller.
func (p *Poller) Armed() bool { return p.sleeper.(*nested).armed }

// Zone converts a zone to its number and back to a zone.
func Zone(zone string) string {
	var m messages
	return m.zone(m.zoneID(zone))
}
