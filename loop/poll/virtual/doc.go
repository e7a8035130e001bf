// SPDX-License-Identifier: Apache-2.0

// Package virtual is a poller whose clock jumps and whose network lives in
// memory. It is the floor of every simulation, and of every test that must not
// depend on the machine it runs on.
//
// Nothing in it takes time unless [Config] says so: when a loop has nothing
// left to do, Wait moves the clock straight to the next thing that will happen.
// Nothing in it is left to chance either: the same calls give the same results,
// ports included, and completions are reported in the order in which they came
// about.
//
// The network is one host that owns every address. It has TCP and UNIX-domain
// streams with bounded buffers and errors as a kernel gives them, and no
// faults: what a test wants delayed, refused or never answered it says in
// [Config.Dial]. It has UDP and UNIX-domain datagrams, too, and loses, doubles
// and delays those of UDP as [Config.Faults] says.
//
// Where the model is kinder than a kernel: Close never resets, so a peer still
// reads what was written before, even if the closing side had not read
// everything; a write to a closed peer fails at once and not at the second try;
// there is no TIME_WAIT; and a UNIX path is only a name, free again after Close.
package virtual
