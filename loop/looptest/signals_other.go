// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package looptest

// There are no signal cases, because a process cannot send itself signals on this system.
var signalCases []testCase
