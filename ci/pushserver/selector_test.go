// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import "testing"

func TestSelectors(t *testing.T) {
	ls := labels{{"a", "one"}, {"b", "x\ny"}, {"c", `q"q`}}
	cases := []struct {
		text string
		want bool
	}{
		{`{}`, true},
		{` { } `, true},
		{`{a="one"}`, true},
		{`{a="two"}`, false},
		{`{a="one",}`, true},
		{"{ a = 'one' ,\n b != `x` }", true},
		{`{a!="one"}`, false},
		{`{a=~"o.e"}`, true},
		{`{a=~"on"}`, false},
		{`{a=~"on|one"}`, true},
		{`{a!~"o.*"}`, false},
		{`{a!~"o"}`, true},
		{`{b="x\ny"}`, true},
		{`{b=~"x.y"}`, true},
		{`{c="q\"q"}`, true},
		{"{c=`q\"q`}", true},
		{`{none=""}`, true},
		{`{none!=""}`, false},
		{`{none=~".*"}`, true},
		{`{none=~".+"}`, false},
		{`{a="one", a=~"t.*"}`, false},
		{`{a="\u006fne"}`, true},
	}
	for _, c := range cases {
		sel, err := parseSelector(c.text)
		if err != nil {
			t.Error(err)
		} else if got := sel.matches(ls); got != c.want {
			t.Errorf("%s: %v", c.text, got)
		}
	}
}

func TestInvalidSelectors(t *testing.T) {
	for _, text := range []string{
		``, `{`, `}`, `a="b"`, `{a}`, `{a=}`, `{a=b}`, `{a="b}`, "{a=`b}", `{a="b"`,
		`{a="b" c="d"}`, `{a=="b"}`, `{a~"b"}`, `{1a="b"}`, `{a="b"}}`, `{a="b"} x`,
		`{,}`, `{a="\q"}`, `{a="\`, `{a=~"("}`, `{a=~"(a{1000}){1000}"}`, "{\xff=\"b\"}",
	} {
		if sel, err := parseSelector(text); err == nil {
			t.Errorf("%s is taken for %v", text, sel)
		}
	}
}

func FuzzSelector(f *testing.F) {
	f.Add(`{a="b", c!="d", e=~"x", f!~'y'}`)
	f.Fuzz(func(t *testing.T, text string) {
		if sel, err := parseSelector(text); err == nil {
			sel.matches(labels{{"a", "b"}})
		}
	})
}
