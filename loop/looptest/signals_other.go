// SPDX-License-Identifier: Apache-2.0

//go:build !unix

package looptest

// Where a process cannot send itself signals there is nothing to test.
var signalCases []testCase
