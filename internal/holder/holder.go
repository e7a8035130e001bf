// SPDX-License-Identifier: Apache-2.0

// Package holder keeps the word that says which goroutine holds a loop's baton.
// It is what package loop and package task share and nobody else sees.
package holder

import (
	"sync/atomic"

	"baton/internal/gid"
)

// A Word names the goroutine that holds a baton, by its g; 0 means that the
// loop does not run. Only the holder writes it: when it has just received the
// baton, and to no g at all when it passes it on and ends. Every goroutine may
// read it. Since a g is unique among living
// goroutines, no other goroutine can ever mistake itself for the holder.
type Word struct{ g atomic.Uintptr }

// Held reports whether the calling goroutine holds the baton.
func (w *Word) Held() bool { return w.g.Load() == gid.G() }

// Free reports whether nobody holds the baton.
func (w *Word) Free() bool { return w.g.Load() == 0 }

// G returns the g of the holder; that of no goroutine if nobody holds the baton.
func (w *Word) G() uintptr { return w.g.Load() }

// Hold makes the goroutine with this g the holder; 0 frees the word.
func (w *Word) Hold(g uintptr) { w.g.Store(g) }
