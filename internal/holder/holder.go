// SPDX-License-Identifier: Apache-2.0

// Package holder records which goroutine holds a loop's baton. Packages loop and task
// share it.
package holder

import (
	"sync/atomic"

	"baton/internal/gid"
)

// A Word has the address of the g of the goroutine that holds a baton; see package gid. It
// is 0 while the loop does not run. Only the holder writes it: when it receives the baton,
// and when it passes the baton on and ends. Every goroutine may read it. No two living
// goroutines have the same g, so no other goroutine finds its own g in the Word.
type Word struct{ g atomic.Uintptr }

// Held reports whether the calling goroutine holds the baton.
func (w *Word) Held() bool { return w.g.Load() == gid.G() }

// Free reports whether no goroutine holds the baton.
func (w *Word) Free() bool { return w.g.Load() == 0 }

// G returns the g of the holder. It is the g of no goroutine if no goroutine holds the
// baton.
func (w *Word) G() uintptr { return w.g.Load() }

// Hold makes the goroutine with this g the holder. A g of 0 means that the loop does not
// run.
func (w *Word) Hold(g uintptr) { w.g.Store(g) }
