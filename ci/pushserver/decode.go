// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	googlev1 "github.com/grafana/pyroscope/api/gen/proto/go/google/v1"
	"google.golang.org/protobuf/proto"
)

// decompress returns a profile's plain bytes, whether it came gzipped or not,
// and never more than most.
func decompress(raw []byte, most int) ([]byte, error) {
	if !bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		if len(raw) > most {
			return nil, fmt.Errorf("profile is %d bytes long, at most %d are allowed",
				len(raw), most)
		}
		return raw, nil
	}
	gz, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("profile's gzip header: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(gz, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("decompressing the profile: %w", err)
	}
	if len(plain) > most {
		return nil, fmt.Errorf("profile is longer than %d bytes when decompressed", most)
	}
	return plain, nil
}

// decodeProfile reads a profile twice: with the API's generated code, as the
// server does, and with google's library, whose consistency checks are those
// of the pprof tool. A profile has to satisfy both. google's Parse would take
// what is no protobuf for one of the older text formats, hence
// ParseUncompressed. The result has what the server makes of the profile.
// cut counts what exceeded a limit and was shortened.
func (lim *limits) decodeProfile(plain []byte, now time.Time) (p *profile.Profile, cut int, err error) {
	if len(plain) == 0 {
		return nil, 0, fmt.Errorf("profile is empty")
	}
	pb := &googlev1.Profile{}
	if err := proto.Unmarshal(plain, pb); err != nil {
		return nil, 0, fmt.Errorf("profile is no pprof message: %w", err)
	}
	if cut, err = lim.validateProfile(pb, now); err != nil {
		return nil, cut, err
	}
	if p, err = parsePprof(plain); err != nil {
		return nil, cut, err
	}
	if cut > 0 {
		if plain, err = proto.Marshal(pb); err != nil {
			return nil, cut, fmt.Errorf("shortening the profile: %w", err)
		}
		if p, err = parsePprof(plain); err != nil {
			return nil, cut, err
		}
	}
	p.TimeNanos = pb.TimeNanos
	normalize(p)
	return p, cut, nil
}

func parsePprof(plain []byte) (*profile.Profile, error) {
	p, err := profile.ParseUncompressed(plain)
	if err == nil {
		err = p.CheckValid()
	}
	if err != nil {
		return nil, fmt.Errorf("malformed profile: %w", err)
	}
	return p, nil
}

// normalize does to a valid profile what the server does before it stores
// one: numeric and empty labels go, equal samples are added up, samples
// without a positive value go, and what claims to have functions loses its
// addresses.
func normalize(p *profile.Profile) {
	merged := make(map[string]*profile.Sample)
	kept := p.Sample[:0]
	for _, s := range p.Sample {
		s.NumLabel, s.NumUnit = nil, nil
		cleanLabels(s)
		key := sampleKey(s)
		if first, ok := merged[key]; ok {
			for i, v := range s.Value {
				first.Value[i] += v
			}
			continue
		}
		merged[key] = s
		kept = append(kept, s)
	}
	p.Sample = slices.DeleteFunc(kept, func(s *profile.Sample) bool {
		return slices.Max(s.Value) <= 0
	})
	for _, m := range p.Mapping {
		if m.HasFunctions {
			m.Start, m.Limit, m.Offset = 0, 0, 0
		}
	}
	for _, l := range p.Location {
		if l.Mapping != nil && l.Mapping.HasFunctions {
			l.Address = 0
		}
	}
}

// cleanLabels leaves one non-empty value to each label: the server takes the
// first where a sample has a label twice.
func cleanLabels(s *profile.Sample) {
	for name, values := range s.Label {
		values = slices.DeleteFunc(values, func(v string) bool { return v == "" })
		if len(values) == 0 {
			delete(s.Label, name)
			continue
		}
		s.Label[name] = values[:1]
	}
	if id, ok := s.Label[labelProfileID]; ok {
		delete(s.Label, labelProfileID)
		s.Label[labelSpanID] = id
	}
}

// sampleLabels returns a sample's labels, in order of their names.
func sampleLabels(s *profile.Sample) labels {
	var ls labels
	for name, values := range s.Label {
		ls = append(ls, label{name, values[0]})
	}
	ls.sort()
	return ls
}

// sampleKey is equal for samples with the same stack and the same labels.
func sampleKey(s *profile.Sample) string {
	var b strings.Builder
	for _, l := range s.Location {
		fmt.Fprintf(&b, "%x,", l.ID)
	}
	b.WriteString(sampleLabels(s).String())
	return b.String()
}
