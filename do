#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The commands for working on this code. Without an argument it lists them.
set -eu
cd "$(dirname "$0")"
spdx='// SPDX-License-Identifier: Apache-2.0'
nested=$(find . -mindepth 2 -name go.mod ! -path './tools/*' ! -path '*/testdata/*' -exec dirname {} \; | sort)

help() {
	cat <<-'END'
		usage: ./do COMMAND [ARGUMENT...]

		  fmt                     format every Go file
		  lint                    formatting, vet for four systems, staticcheck, house rules
		  test [ARG...]           the tests; arguments go to go test
		  race [HANDOFF [POLLER]] the tests with the race detector (needs a C compiler), for each handoff
		                          (channel, coroutine) and poller (epoll, portable) or the named ones,
		                          without the tests of the benchmarks
		  newer [ARG...]          the tests with Go 1.27, which is downloaded, and the coroutine handoff
		  narrow [ARG...]         the tests on 32 bits, without the tests of the benchmarks; only vet if the
		                          kernel cannot run 32-bit programs
		  foreign [ARCH...]       the tests on other processors (default arm64 s390x), in an emulator
		                          (Debian's qemu-user)
		  nested [ARG...]         the tests of the nested modules with the race detector, without the next two
		  browser [ARG...]        the tests of interop/browser, which need Debian's chromium
		  drivers [ARG...]        the tests of interop/drivers, which need Debian's redis-server, postgresql,
		                          openssh-server and openssh-client
		  scale                   the tests of many connections and child processes at their full size
		  fuzz [COUNT]            each fuzz target with COUNT inputs (default 20000x)
		  bench [ARG...]          the benchmarks; arguments go to them
		  cover                   the coverage of the library by all tests, written to cover.out
		  examples                vet and build the examples, and run those in examples/quick.txt
		  all                     lint, test, newer, narrow, race (each handoff with one poller), nested,
		                          browser, drivers, scale, fuzz 3000x, examples
	END
}
fmt() { gofmt -l -w .; }
none() { # none MESSAGE COMMAND...: fails with MESSAGE if the command prints something; grep returns 1 for nothing
	message=$1; shift
	found=$("$@") || [ $? -eq 1 ]
	[ -z "$found" ] || { printf '%s:\n%s\n' "$message" "$found" >&2; return 1; }
}
headless() { find . -name '*.go' -exec awk -v want="$spdx" 'FNR == 1 && $0 != want { print FILENAME }' {} +; }
missing() {
	for test in $(echo "$not_emulated $scaled" | tr '|' ' '); do
		grep -rq --include='*_test.go' "^func $test(" . || echo "$test"
	done
}
lint() {
	none 'not formatted (./do fmt)' gofmt -l .
	none 'first line must be the SPDX line' headless
	none 'a test waits for real time' grep -rn --include='*_test.go' 'time\.Sleep(' .
	none 'this script names a test that does not exist' missing
	none 'unfinished work in a comment' grep -rnE --include='*.go' --include='*.s' '//(.*[^.[:alnum:]])?(TODO|FIXME)' .
	go vet ./...
	for os in darwin windows freebsd; do CGO_ENABLED=0 GOOS=$os GOARCH=amd64 go vet ./...; done
	go -C tools build -o ../bin/ honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...
	for dir in $nested; do (tool=$PWD/bin/staticcheck; cd "$dir"; go vet ./...; "$tool" ./...); done
}
test_() { go test "$@" ./...; }
race() {
	for handoff in ${1:-channel coroutine}; do for poller in ${2:-epoll portable}; do
		echo "race: handoff $handoff, poller $poller"
		BATON_HANDOFF=$handoff BATON_POLLER=$poller go test -race -count=1 $(go list ./... | grep -v /benchmarks)
	done; done
}
# The version is one of newestTested in task/handoff.go.
newer() {
	GOTOOLCHAIN=go1.27.3 BATON_HANDOFF=coroutine go test "$@" ./...
}
narrow() {
	if [ "$(go env GOOS GOARCH | paste -sd/ -)" != linux/amd64 ]; then
		echo "narrow: this system does not run programs for linux/386"
	elif runs386; then
		GOARCH=386 CGO_ENABLED=0 go test "$@" $(go list ./... | grep -v /benchmarks)
	else
		echo "narrow: this kernel does not run programs for linux/386: compiled only (./do foreign arm emulates 32 bits)"
		GOARCH=386 CGO_ENABLED=0 go vet ./...
	fi
}
runs386() { GOARCH=386 CGO_ENABLED=0 go test -count=1 -run='^$' ./internal/gid >/dev/null 2>&1; }
# The emulator cannot start the program of a test again, and has no epoll_pwait2.
not_emulated="TestMainHandlesSignalsAfterTheLastReceiver|TestSystemdFiles|TestFailureReports|TestTimeIsOver|TestBlockingStepWithFIFO|TestSeedFlagIsUsed|TestReplayCommand|TestHowProgramsEnd|TestHowMainHandlesSignals|TestSignalDefaultIsRestored|TestServerPausesWithoutDescriptors|TestEveryKindOfSleepEnds|TestWaitLimitsBytesRead|TestBlockingIsPrecise|TestSuiteDetectsFaults|TestManyIdleConnections|TestFilesForChildren|TestFilesWithoutDescriptors"
foreign() {
	[ $# -gt 0 ] || set -- arm64 s390x
	for arch in "$@"; do
		case $arch in
		arm64) cpu=aarch64 ;;
		loong64) cpu=loongarch64 ;;
		mips*le) cpu=$(echo "$arch" | sed 's/le$/el/') ;;
		*) cpu=$arch ;;
		esac
		echo "foreign: $arch"
		GOARCH=$arch CGO_ENABLED=0 go test -exec "qemu-$cpu" \
			-skip "^($not_emulated)\$|/blocking" \
			./internal/gid ./internal/prefetch ./loop/... ./task ./await ./locks ./netio ./sim
	done
}
# Nested modules may require more modules than the library. They choose handoffs and pollers themselves.
nested() {
	for dir in $nested; do
		case $dir in ./interop/browser | ./interop/drivers) continue ;; esac
		echo "nested: $dir"
		go -C "$dir" test -race "$@" ./...
	done
}
browser() { go -C interop/browser test -race "$@" ./...; }
drivers() { go -C interop/drivers test -race "$@" ./...; }
scaled='TestManyIdleConnections|TestEndedConnectionsLeaveNothing|TestTorture'
scale() { NETIO_TEST_SCALE=full go test -count=1 -v -run "^($scaled)\$" ./netio ./netio/process; }
# The limit is a count, not a time: Go before 1.27 may report the end of a time as a failure (go.dev/issue/75804).
fuzz() {
	grep -rEo --include='*_test.go' '^func Fuzz[^(]*' . | sort | while IFS=: read -r file name; do
		name=${name#func }
		echo "fuzz: $name in ${file%/*}"
		go -C "${file%/*}" test -run='^$' -fuzz="^$name\$" -fuzztime="${1:-20000x}" \
			-fuzzminimizetime=100x . </dev/null
	done
}
bench() { go run ./benchmarks "$@"; }
cover() {
	library=$(go list ./... | grep -vE '/(examples|benchmarks)(/|$)' | paste -sd, -)
	go test -coverprofile=cover.out -coverpkg="$library" ./...
	go tool cover -func=cover.out | tail -n 1
}
examples() {
	[ -z "$(find examples -name '*.go')" ] || go vet ./examples/...
	go build -o /dev/null ./examples/...
	for dir in $nested; do case $dir in ./examples/*) go -C "$dir" vet ./... && go -C "$dir" build -o /dev/null . ;; esac; done
	sed 's/#.*//; /^[[:space:]]*$/d' examples/quick.txt | while read -r name args; do
		echo "example: $name $args"
		timeout 60 go run "./examples/$name" $args </dev/null
	done
}
# The commands are not joined by &&, which would disable set -e inside them.
all() {
	lint; test_; newer; narrow; race channel epoll; race coroutine portable
	nested; browser; drivers; scale; fuzz 3000x; examples
}

[ $# -gt 0 ] || set -- help
case $1 in
test) shift; test_ "$@" ;;
help | fmt | lint | race | newer | narrow | foreign | nested | browser | drivers | scale | fuzz | bench | cover | examples | all) "$@" ;;
*) help >&2; exit 2 ;;
esac
