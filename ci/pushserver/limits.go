// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import "time"

// limits are what a server refuses, or cuts, in pushes and queries. A field's
// comment names the option of the real server whose default it repeats.
type limits struct {
	rateBytes          float64       // ingestion_rate_mb, a second
	burstBytes         float64       // ingestion_burst_size_mb
	profileBytes       int           // max_profile_size_bytes, uncompressed
	samples            int           // max_profile_stacktrace_samples
	sampleLabels       int           // max_profile_stacktrace_sample_labels
	depth              int           // max_profile_stacktrace_depth
	stringBytes        int           // max_profile_symbol_value_length
	labelNames         int           // max_label_names_per_series
	labelNameBytes     int           // max_label_name_length
	labelValueBytes    int           // max_label_value_length
	rejectOlderThan    time.Duration // reject_older_than
	rejectNewerThan    time.Duration // reject_newer_than
	queryRange         time.Duration // max_query_length
	flameGraphNodes    int64         // max_flamegraph_nodes_default
	maxFlameGraphNodes int64         // max_flamegraph_nodes_max

	// The rest are this program's own and bound its memory.
	requestBytes  int   // one request, decompressed
	storeBytes    int64 // all profiles held, uncompressed
	stackFrames   int   // one stack, with inlined functions
	profileFrames int   // all stacks of a profile, with inlined functions
}

func defaultLimits() limits {
	return limits{
		rateBytes:          4 << 20,
		burstBytes:         2 << 20,
		profileBytes:       4 << 20,
		samples:            16000,
		sampleLabels:       100,
		depth:              1000,
		stringBytes:        65535,
		labelNames:         30,
		labelNameBytes:     1024,
		labelValueBytes:    2048,
		rejectOlderThan:    time.Hour,
		rejectNewerThan:    10 * time.Minute,
		queryRange:         24 * time.Hour,
		flameGraphNodes:    8192,
		maxFlameGraphNodes: 1 << 20,

		requestBytes:  8 << 20,
		storeBytes:    1 << 30,
		stackFrames:   16000,
		profileFrames: 4 << 20,
	}
}

// tokenBucket meters bytes: it refills at rate a second, up to burst.
type tokenBucket struct {
	rate, burst float64
	level       float64
	last        time.Time
}

func newTokenBucket(rate, burst float64, now time.Time) *tokenBucket {
	return &tokenBucket{rate: rate, burst: burst, level: burst, last: now}
}

// take removes n bytes, or nothing if there are not as many. More than burst
// at once is therefore never allowed, however long one waits.
func (b *tokenBucket) take(n float64, now time.Time) bool {
	b.level = min(b.burst, b.level+b.rate*now.Sub(b.last).Seconds())
	b.last = now
	if n > b.level {
		return false
	}
	b.level -= n
	return true
}
