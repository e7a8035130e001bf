// SPDX-License-Identifier: Apache-2.0

//go:build race

package netio_test

const raceEnabled = true
