// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary is the server itself where this is set.
const runServer = "PUSHSERVER_TEST_RUN"

func TestMain(m *testing.M) {
	if os.Getenv(runServer) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type process struct {
	*exec.Cmd
	url   string
	stdin io.WriteCloser
}

func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...)}
	p.Env = append(os.Environ(), runServer+"=1")
	p.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var ok bool
	if p.url, ok = strings.CutPrefix(strings.TrimSpace(line), "listening on "); !ok {
		t.Fatalf("first line is %q", line)
	}
	return p
}

// wantEnd waits for the process to end by itself with status 0.
func (p *process) wantEnd(t *testing.T) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("still running")
	}
}

func TestStopsOnSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		ready := filepath.Join(t.TempDir(), "url")
		p := launch(t, "-ready-file", ready, "-base-path", "/some/where/")
		if !strings.HasSuffix(p.url, "/some/where") {
			t.Errorf("URL is %s", p.url)
		}
		if text, err := os.ReadFile(ready); err != nil || string(text) != p.url+"\n" {
			t.Errorf("ready file: %q, %v", text, err)
		}
		res, err := http.Get(p.url + "/ready")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("/ready is %s", res.Status)
		}
		p.Process.Signal(sig)
		p.wantEnd(t)
	}
}

func TestStopsWhenStdinCloses(t *testing.T) {
	p := launch(t, "-stdin-close")
	p.stdin.Close()
	p.wantEnd(t)
}

func TestStopsWhenParentDies(t *testing.T) {
	// A shell starts the server in the background, with a stdin that stays
	// open, prints its output and is killed.
	open, keep, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	defer keep.Close()
	ready := filepath.Join(t.TempDir(), "url")
	shell := exec.Command("sh", "-c", `"$0" -stdin-close -ready-file "$1" <&3 & wait`, os.Args[0], ready)
	shell.Env = append(os.Environ(), runServer+"=1")
	shell.ExtraFiles = []*os.File{open}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	var url string
	for deadline := time.Now().Add(10 * time.Second); url == ""; time.Sleep(20 * time.Millisecond) {
		text, _ := os.ReadFile(ready)
		url = strings.TrimSpace(string(text))
		if time.Now().After(deadline) {
			t.Fatal("not ready")
		}
	}
	shell.Process.Kill()
	shell.Wait()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		res, err := http.Get(url + "/ready")
		if err != nil {
			return
		}
		res.Body.Close()
		if time.Now().After(deadline) {
			t.Fatal("still running")
		}
	}
}

func TestWrongArguments(t *testing.T) {
	for _, args := range [][]string{
		{"-no-such-flag"}, {"argument"}, {"-listen", "nowhere"}, {"-rate-mb", "0"},
		{"-record", "/dev/null/x"}, {"-ready-file", "/dev/null/x"},
	} {
		if err := run(args, strings.NewReader(""), io.Discard, io.Discard); err == nil {
			t.Errorf("%v are taken", args)
		}
	}
}
