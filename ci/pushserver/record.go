// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
)

// recorder keeps pushed profiles as files, byte by byte as they came, whether
// they were accepted or not: NNNNNN.pb or NNNNNN.pb.gz, and NNNNNN.json about
// it, which is written last.
type recorder struct {
	dir string
	n   int
}

// record is what is in a .json file.
type record struct {
	File     string            `json:"file"`
	Time     time.Time         `json:"time"`
	Tenant   string            `json:"tenant"`
	Request  int               `json:"request"` // first record of its request
	ID       string            `json:"id"`
	Labels   []recordLabel     `json:"labels"` // as sent
	Headers  map[string]string `json:"headers"`
	Accepted bool              `json:"accepted"`
	Error    string            `json:"error,omitempty"`
}

type recordLabel struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func newRecorder(dir string) (*recorder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &recorder{dir: dir}, nil
}

// push records each profile of a request; perr is why it was refused, or nil.
func (r *recorder) push(now time.Time, tenant string, header http.Header, msg *pushv1.PushRequest, perr error) error {
	headers := make(map[string]string)
	for name, values := range header {
		headers[name] = strings.Join(values, ", ")
	}
	request := r.n + 1
	for _, series := range msg.Series {
		rec := record{
			Time: now, Tenant: tenant, Request: request,
			Labels: []recordLabel{}, Headers: headers, Accepted: perr == nil,
		}
		if perr != nil {
			rec.Error = perr.Error()
		}
		for _, l := range series.GetLabels() {
			rec.Labels = append(rec.Labels, recordLabel{l.GetName(), l.GetValue()})
		}
		for _, sample := range series.GetSamples() {
			rec.ID = sample.GetID()
			if err := r.write(rec, sample.GetRawProfile()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *recorder) write(rec record, raw []byte) error {
	r.n++
	base := filepath.Join(r.dir, fmt.Sprintf("%06d", r.n))
	suffix := ".pb"
	if len(raw) >= 2 && raw[0] == 0x1f && raw[1] == 0x8b {
		suffix = ".pb.gz"
	}
	rec.File = filepath.Base(base) + suffix
	if err := writeFile(base+suffix, raw); err != nil {
		return err
	}
	about, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(base+".json", append(about, '\n'))
}

// writeFile writes a file aside and renames it, so that who sees it sees all
// of it.
func writeFile(name string, data []byte) error {
	aside := name + ".part"
	if err := os.WriteFile(aside, data, 0o600); err != nil {
		return err
	}
	return os.Rename(aside, name)
}
