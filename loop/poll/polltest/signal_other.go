// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package polltest

// signalCases are none: only Linux lets one thread of a process be interrupted.
var signalCases []testCase
