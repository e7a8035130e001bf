// SPDX-License-Identifier: Apache-2.0

// Package interop tests Baton with third-party software: libraries, test suites, servers and
// clients that know only the standard interfaces which Baton implements. The package has no code
// besides its tests.
package interop
