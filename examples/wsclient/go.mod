// This example is its own module, so that programs that import baton do not have the WebSocket
// library in their module graph.
module baton/examples/wsclient

go 1.26.0

require (
	baton v0.0.0
	github.com/gorilla/websocket v1.5.3
	go.uber.org/goleak v1.3.0
)

require (
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace baton => ../../
