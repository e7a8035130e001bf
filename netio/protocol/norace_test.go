// SPDX-License-Identifier: Apache-2.0

//go:build !race

package protocol_test

const raceEnabled = false
