// SPDX-License-Identifier: LGPL-2.1-or-later

// Pushserver stands in for a Pyroscope server in tests. It takes profiles by
// push.v1 and answers queries by querier.v1, both through the code that
// Grafana generates for its own server; it applies that server's validation
// and default limits, and keeps everything in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "pushserver:", err)
		os.Exit(1)
	}
}

type options struct {
	listen     string
	basePath   string
	readyFile  string
	recordDir  string
	tenants    bool
	stdinClose bool
	rateMB     float64
	burstMB    float64
}

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	lim := defaultLimits()
	o := &options{}
	flags := flag.NewFlagSet("pushserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.listen, "listen", "127.0.0.1:0",
		"`address` to listen on; port 0 takes a free one")
	flags.StringVar(&o.basePath, "base-path", "",
		"`path` in front of the API, as behind a proxy")
	flags.StringVar(&o.readyFile, "ready-file", "",
		"write the URL to this `file` once listening")
	flags.StringVar(&o.recordDir, "record", "",
		"keep each pushed profile, and its labels as JSON, in this `folder`")
	flags.BoolVar(&o.tenants, "tenants", false,
		"refuse requests without "+tenantHeader+"; each tenant sees its own data")
	flags.BoolVar(&o.stdinClose, "stdin-close", false,
		"stop when stdin is closed or the parent process ends")
	flags.Float64Var(&o.rateMB, "rate-mb", lim.rateBytes/(1<<20),
		"uncompressed `MiB` a second that a tenant may push")
	flags.Float64Var(&o.burstMB, "burst-mb", lim.burstBytes/(1<<20),
		"uncompressed `MiB` that a tenant may push at once")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.rateMB <= 0 || o.burstMB <= 0 {
		return nil, errors.New("-rate-mb and -burst-mb have to be greater than 0")
	}
	if o.basePath = strings.Trim(o.basePath, "/"); o.basePath != "" {
		o.basePath = "/" + o.basePath
	}
	return o, nil
}

// run serves until a signal, or until what -stdin-close names.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if o.stdinClose {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		go watchParent(stdin, os.Getppid(), cancel)
	}

	lim := defaultLimits()
	lim.rateBytes = o.rateMB * (1 << 20)
	lim.burstBytes = o.burstMB * (1 << 20)
	s := newServer(lim)
	s.tenants = o.tenants
	s.log = log.New(stderr, "pushserver: ", log.LstdFlags)
	if o.recordDir != "" {
		if s.record, err = newRecorder(o.recordDir); err != nil {
			return fmt.Errorf("-record: %w", err)
		}
	}

	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return fmt.Errorf("-listen: %w", err)
	}
	httpServer := &http.Server{
		Handler:           s.handler(o.basePath),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          s.log,
	}
	served := make(chan error, 1)
	go func() { served <- httpServer.Serve(listener) }()

	url := "http://" + listener.Addr().String() + o.basePath
	if o.readyFile != "" {
		if err := writeFile(o.readyFile, []byte(url+"\n")); err != nil {
			return fmt.Errorf("-ready-file: %w", err)
		}
	}
	fmt.Fprintln(stdout, "listening on", url)

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// Requests under way get a moment, then their connections are cut.
	grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := httpServer.Shutdown(grace); err != nil {
		return httpServer.Close()
	}
	return nil
}

// watchParent calls stop when stdin ends or the parent is another than it
// was. The first covers the usual case; the second one in which another
// process still holds the pipe's other end.
func watchParent(stdin io.Reader, parent int, stop func()) {
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, stdin)
		close(ended)
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ended:
			stop()
			return
		case <-tick.C:
			if os.Getppid() != parent {
				stop()
				return
			}
		}
	}
}
