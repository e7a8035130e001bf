// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package polltest

// signalCases is empty, because only Linux can send a signal to one thread.
var signalCases []testCase
