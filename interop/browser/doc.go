// SPDX-License-Identifier: Apache-2.0

// Package browser has tests only, with a real browser: Chromium, of Debian's package
// chromium. It meets the pages of examples/wssrv and of httpio.Server.
package browser
