// SPDX-License-Identifier: Apache-2.0

package bridge

import (
	"os"
	"sync"
)

// exits has the functions that Exit calls.
var exits struct {
	sync.Mutex
	list []*func()
}

// AtExit makes [Exit] call fn, until remove is called. fn must not wait. AtExit is safe
// for concurrent use.
func AtExit(fn func()) (remove func()) {
	exits.Lock()
	defer exits.Unlock()
	exits.list = append(exits.list, &fn)
	return func() {
		exits.Lock()
		defer exits.Unlock()
		for i, f := range exits.list {
			if f == &fn {
				exits.list = append(exits.list[:i], exits.list[i+1:]...)
				return
			}
		}
	}
}

// Exit ends the process while its tasks still run. Before that it calls the functions of
// AtExit, the last one first. They clean up only what must not outlive the process.
func Exit(code int) {
	exits.Lock() // never unlocked: the process ends
	for i := len(exits.list) - 1; i >= 0; i-- {
		(*exits.list[i])()
	}
	os.Exit(code)
}
