// SPDX-License-Identifier: Apache-2.0

// Package terminal reads what a user types, while other tasks run.
package terminal
