// SPDX-License-Identifier: Apache-2.0

package sim

import (
	"fmt"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

// replay returns a command that runs the test t again with the same schedule. The command
// works in every directory of the module.
func replay(t *testing.T, seed uint64) string {
	pkg := "." // for a test whose files were named on the command line
	if info, ok := debug.ReadBuildInfo(); ok {
		path, isTest := strings.CutSuffix(info.Path, ".test")
		if isTest && path != "command-line-arguments" {
			pkg = path
		}
	}
	names := strings.Split(t.Name(), "/")
	for i, name := range names {
		names[i] = "^" + regexp.QuoteMeta(name) + "$"
	}
	run := strings.ReplaceAll(strings.Join(names, "/"), "'", `'\''`)
	return fmt.Sprintf("go test %s -run '%s' -sim.seed=%d", pkg, run, seed)
}
