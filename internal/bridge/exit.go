// SPDX-License-Identifier: Apache-2.0

package bridge

import (
	"os"
	"sync"
)

// exits is what Exit calls.
var exits struct {
	sync.Mutex
	list []*func()
}

// AtExit has [Exit] call fn, which must not wait, until remove is called. Safe from every
// goroutine.
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

// Exit ends the process while its tasks still run. First it calls what AtExit was given, the
// last one first, and only what must not be left behind when the process has gone.
func Exit(code int) {
	exits.Lock() // for ever
	for i := len(exits.list) - 1; i >= 0; i-- {
		(*exits.list[i])()
	}
	os.Exit(code)
}
