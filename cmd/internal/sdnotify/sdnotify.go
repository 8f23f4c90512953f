// Package sdnotify tells the service manager how the process is, as sd_notify(3) does: a datagram to the socket that
// $NOTIFY_SOCKET names. Without one there is nobody to tell, and nothing happens.
package sdnotify

import (
	"fmt"
	"net"
)

// Send tells the state, which is lines of NAME=VALUE, as "READY=1\nSTATUS=serving".
func Send(env func(string) string, state string) error {
	path := env("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"}) // "@" begins an abstract name
	if err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(state)); err != nil {
		return fmt.Errorf("telling the service manager: %w", err)
	}
	return nil
}
