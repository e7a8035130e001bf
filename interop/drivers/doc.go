// SPDX-License-Identifier: Apache-2.0

// Package drivers has only tests: each runs a library for a database or a network
// protocol, as it is published, over Baton's connections, against a real server that
// the test starts on the loopback interface. docs/drivers.md says how to use each.
package drivers
