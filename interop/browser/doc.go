// SPDX-License-Identifier: Apache-2.0

// Package browser tests pages of examples/wssrv and of httpio.Server in Chromium, from Debian's
// package chromium. The package has no code besides its tests.
package browser
