// SPDX-License-Identifier: Apache-2.0

// Package process runs child processes, and reads and writes pipes.
package process
