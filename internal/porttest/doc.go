// SPDX-License-Identifier: Apache-2.0

// Package porttest reserves ports for servers that a test starts as processes, and that cannot
// choose a free port themselves. It works on Linux.
package porttest
