// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"slices"
	"strings"

	"github.com/google/pprof/profile"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
)

// stackNode is one function at one place of the merged call tree. The root
// stands for the total and has no name.
type stackNode struct {
	name        string
	self, total int64
	children    []*stackNode // sorted by name
}

// addProfile adds the first value of each sample. Frames are function names
// alone. A location without a line is no frame, as on a server that does not
// symbolize; a sample left without any frame does not count at all.
func (root *stackNode) addProfile(p *profile.Profile) {
	var frames []string
	for _, s := range p.Sample {
		frames = frames[:0]
		for _, loc := range s.Location {
			for _, line := range loc.Line { // innermost first, like the stack
				frames = append(frames, line.Function.Name)
			}
		}
		slices.Reverse(frames)
		root.insert(frames, s.Value[0])
	}
}

// insert adds value to the path that frames, root first, describe.
func (root *stackNode) insert(frames []string, value int64) {
	if len(frames) == 0 {
		return
	}
	n := root
	n.total += value
	for _, name := range frames {
		n = n.child(name)
		n.total += value
	}
	n.self += value
}

func (n *stackNode) child(name string) *stackNode {
	i, ok := slices.BinarySearchFunc(n.children, name,
		func(c *stackNode, name string) int { return strings.Compare(c.name, name) })
	if !ok {
		n.children = slices.Insert(n.children, i, &stackNode{name: name})
	}
	return n.children[i]
}

// threshold is the smallest total among the maxNodes greatest; what is below
// it has to be left out to keep to maxNodes.
func (root *stackNode) threshold(maxNodes int64) int64 {
	var totals []int64
	pending := []*stackNode{root}
	for len(pending) > 0 {
		n := pending[len(pending)-1]
		pending = append(pending[:len(pending)-1], n.children...)
		totals = append(totals, n.total)
	}
	if int64(len(totals)) <= maxNodes {
		return 0
	}
	slices.Sort(totals)
	return totals[int64(len(totals))-maxNodes]
}

// flameGraph encodes the tree as the server does. A level is a list of
// nodes, left to right, four numbers each: the distance from the right edge
// of the node before, the total, the self value, the index of the name. Name
// 0 is "total", the root. Nodes that do not fit maxNodes are added up as
// "other" beside their siblings.
func (root *stackNode) flameGraph(maxNodes int64) *querierv1.FlameGraph {
	b := &flameGraphBuilder{
		out:       &querierv1.FlameGraph{Total: root.total},
		names:     make(map[string]int64),
		threshold: root.threshold(maxNodes),
	}
	named := *root
	named.name = "total"
	b.place(&named, 0, 0)
	return b.out
}

type flameGraphBuilder struct {
	out       *querierv1.FlameGraph
	names     map[string]int64
	edges     []int64 // right edge of the last node of each level
	threshold int64
}

// place puts a node at x and its children above it, behind its self value.
// limits.stackFrames bounds the recursion.
func (b *flameGraphBuilder) place(n *stackNode, level int, x int64) {
	if level == len(b.edges) {
		b.edges = append(b.edges, 0)
		b.out.Levels = append(b.out.Levels, &querierv1.Level{})
	}
	l := b.out.Levels[level]
	l.Values = append(l.Values, x-b.edges[level], n.total, n.self, b.name(n.name))
	b.edges[level] = x + n.total
	b.out.MaxSelf = max(b.out.MaxSelf, n.self)

	x += n.self
	var other int64
	for _, c := range n.children {
		if c.total < b.threshold || c.name == "other" {
			other += c.total
			continue
		}
		b.place(c, level+1, x)
		x += c.total
	}
	if other > 0 {
		b.place(&stackNode{name: "other", self: other, total: other}, level+1, x)
	}
}

func (b *flameGraphBuilder) name(s string) int64 {
	i, ok := b.names[s]
	if !ok {
		i = int64(len(b.out.Names))
		b.names[s] = i
		b.out.Names = append(b.out.Names, s)
	}
	return i
}
