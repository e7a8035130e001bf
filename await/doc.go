// SPDX-License-Identifier: Apache-2.0

// Package await waits: for time, for several tasks at once, for code that
// blocks, and for signals.
//
//	price, err := await.First(ctx, askTokyo, askLondon) // the first answer wins
//
//	pages, err := await.MapN(ctx, 8, urls, fetch) // eight at a time, in order
//
//	err := await.Timeout(ctx, time.Second, func(ctx context.Context) error {
//		return s.Shutdown(ctx)
//	})
//
//	hash, err := await.Blocking(ctx, func(ctx context.Context) (string, error) {
//		return slowHash(file) // on a goroutine of its own, while other tasks run
//	})
//
// Everything that takes a ctx may switch and ends when ctx is cancelled, with
// the *task.Canceled, unless it says otherwise. Times are those of the loop's
// clock, so all of this works in virtual time.
//
// Calls that start tasks ([First], [Map]) start them in a scope of their own and
// return when these have ended. Calls that are given tasks ([All], [Each]) wait
// for them and never cancel them: they belong to the scope they were started
// in.
package await
