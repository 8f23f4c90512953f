package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

const (
	// defaultMetricsPort is CloudServer's.
	defaultMetricsPort = "8002"

	healthTimeout = 5 * time.Second
	maxHealthBody = 64 << 10
)

const healthUsage = `Usage: pail health [flags]

Asks a running pail serve how it is, at the address of its --metrics-listen, and exits 0 when it is well. For health checks
of containers, which need no other program then. What the server says goes to stdout.

Flags:
`

// health is "pail health".
func health(args []string, env func(string) string, stdout, stderr io.Writer) int {
	f := pflag.NewFlagSet("pail health", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {}
	addr := f.String("metrics-listen", cmp.Or(env("PAIL_METRICS_LISTEN"), ":"+defaultMetricsPort), "`ADDR:PORT` that the server was given; also $PAIL_METRICS_LISTEN")
	ready := f.Bool("ready", false, "ask whether it serves (/ready), which a standby does not; by default, whether it runs (/live)")
	err := f.Parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		fmt.Fprint(stdout, healthUsage, f.FlagUsagesWrapped(100))
		return 0
	}
	if err == nil && f.NArg() > 0 {
		err = fmt.Errorf("health takes no argument, but got %q", f.Arg(0))
	}
	if err != nil {
		return fail(stderr, fmt.Errorf("%w; see pail health --help", err))
	}
	path := "/live"
	if *ready {
		path = "/ready"
	}
	if err := askHealth(*addr, path, stdout); err != nil {
		return fail(stderr, err)
	}
	return 0
}

// askHealth asks on this machine: a server that listens on all addresses is reached at the loopback one.
func askHealth(listen, path string, stdout io.Writer) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("%q is no address: give ADDR:PORT, as the server's --metrics-listen", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	client := http.Client{Timeout: healthTimeout, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + net.JoinHostPort(host, port) + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxHealthBody))
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, strings.TrimSpace(string(body)))
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the server answers %s", resp.Status)
	}
	return nil
}
