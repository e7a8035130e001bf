// What other people's code makes of baton: their test suites and libraries. A
// module of its own, so that none of it enters the module graph of those who
// import baton.
module baton/interop

go 1.26.0

require (
	baton v0.0.0
	github.com/coder/websocket v1.8.14
	github.com/gorilla/websocket v1.5.3
	go.uber.org/goleak v1.3.0
	golang.org/x/net v0.50.0
)

require (
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.34.0 // indirect
)

replace baton => ../
