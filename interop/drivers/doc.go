// SPDX-License-Identifier: Apache-2.0

// Package drivers tests libraries for databases and network protocols, as they are published, over
// connections of package netio. Each test starts a real server on the loopback interface.
// docs/drivers.md says how to use each library. The package has no code besides its tests.
package drivers
