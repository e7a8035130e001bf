// SPDX-License-Identifier: Apache-2.0

//go:build go1.27

package httpio_test

const newerReference = true
