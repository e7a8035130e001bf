// SPDX-License-Identifier: Apache-2.0

// Package interop proves that code written without a thought of tasks finds what
// it expects: it has only tests, each of which runs a suite or a library of
// somebody else against a standard interface that baton implements.
package interop
