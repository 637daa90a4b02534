package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	// healthcheckTimeout is far longer than /readyz takes, which answers from memory.
	healthcheckTimeout = 3 * time.Second
	// maxHealthcheck limits how much of an answer is shown, in bytes.
	maxHealthcheck = 4 << 10
)

// Healthcheck asks the process on the configured address whether it is ready, and prints the
// answer. It is for containers, whose image has no other program.
func Healthcheck(ctx context.Context, config Config, out io.Writer) error {
	address, err := localAddress(config.Listen)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, healthcheckTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return err
	}
	// HTTP_PROXY is for connections to others.
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(out, io.LimitReader(response.Body, maxHealthcheck)); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is not ready: it answers %s", address, response.Status)
	}
	return nil
}

// localAddress returns where this machine reaches a process that listens on an address: on
// loopback, if it listens on all addresses.
func localAddress(listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("SWITCHBOARD_LISTEN: %q is not an address such as 127.0.0.1:8080", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}
