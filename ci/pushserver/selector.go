// SPDX-License-Identifier: LGPL-2.1-or-later

package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// matcher is one condition on a label. An absent label has the value "".
type matcher struct {
	name   string
	value  string
	regexp *regexp.Regexp // nil for = and !=
	negate bool
}

func (m *matcher) matches(ls labels) bool {
	v := ls.get(m.name)
	if m.regexp != nil {
		return m.regexp.MatchString(v) != m.negate
	}
	return (v == m.value) != m.negate
}

// selector is a list of conditions of which all have to hold; an empty one
// selects everything.
type selector []*matcher

func (sel selector) matches(ls labels) bool {
	for _, m := range sel {
		if !m.matches(ls) {
			return false
		}
	}
	return true
}

// parseSelector reads a label selector in Prometheus' notation:
// {a="b", c!="d", e=~"x|y", f!~"z.*"}. Regular expressions match the whole
// value.
func parseSelector(text string) (selector, error) {
	sel, rest, err := parseMatchers(text)
	if err == nil && rest != "" {
		err = fmt.Errorf("%q after the closing brace", shorten(rest))
	}
	if err != nil {
		return nil, fmt.Errorf("label selector %q: %w", shorten(text), err)
	}
	return sel, nil
}

func parseSelectors(texts []string) ([]selector, error) {
	var sels []selector
	for _, text := range texts {
		sel, err := parseSelector(text)
		if err != nil {
			return nil, err
		}
		sels = append(sels, sel)
	}
	return sels, nil
}

func parseMatchers(text string) (sel selector, rest string, err error) {
	rest, ok := strings.CutPrefix(trim(text), "{")
	if !ok {
		return nil, "", fmt.Errorf("it has to begin with '{'")
	}
	for {
		rest = trim(rest)
		if after, ok := strings.CutPrefix(rest, "}"); ok {
			return sel, trim(after), nil
		}
		var m *matcher
		if m, rest, err = parseMatcher(rest); err != nil {
			return nil, "", err
		}
		sel = append(sel, m)
		rest = trim(rest)
		if after, ok := strings.CutPrefix(rest, ","); ok {
			rest = after
		} else if !strings.HasPrefix(rest, "}") {
			return nil, "", fmt.Errorf("',' or '}' expected at %q", shorten(rest))
		}
	}
}

var matcherNameRE = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`)

func parseMatcher(text string) (m *matcher, rest string, err error) {
	m = &matcher{name: matcherNameRE.FindString(text)}
	if m.name == "" {
		return nil, "", fmt.Errorf("label name expected at %q", shorten(text))
	}
	rest = trim(text[len(m.name):])
	isRegexp := false
	switch {
	case strings.HasPrefix(rest, "=~"):
		isRegexp, rest = true, rest[2:]
	case strings.HasPrefix(rest, "!~"):
		isRegexp, m.negate, rest = true, true, rest[2:]
	case strings.HasPrefix(rest, "!="):
		m.negate, rest = true, rest[2:]
	case strings.HasPrefix(rest, "="):
		rest = rest[1:]
	default:
		return nil, "", fmt.Errorf("=, !=, =~ or !~ expected at %q", shorten(rest))
	}
	if m.value, rest, err = parseQuoted(trim(rest)); err != nil {
		return nil, "", err
	}
	if isRegexp {
		if m.regexp, err = regexp.Compile("^(?s:" + m.value + ")$"); err != nil {
			return nil, "", err
		}
	}
	return m, rest, nil
}

// parseQuoted reads a string in double, single or back quotes, with Go's
// escapes in the first two.
func parseQuoted(text string) (value, rest string, err error) {
	if text == "" || !strings.ContainsRune("\"'`", rune(text[0])) {
		return "", "", fmt.Errorf("quoted value expected at %q", shorten(text))
	}
	quote := text[0]
	rest = text[1:]
	if quote == '`' {
		value, rest, ok := strings.Cut(rest, "`")
		if !ok {
			return "", "", fmt.Errorf("value without a closing quote")
		}
		return value, rest, nil
	}
	var b strings.Builder
	for rest != "" && rest[0] != quote {
		r, isMultibyte, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return "", "", fmt.Errorf("bad escape at %q", shorten(rest))
		}
		if r < 0x80 || isMultibyte {
			b.WriteRune(r)
		} else {
			b.WriteByte(byte(r))
		}
		rest = tail
	}
	if rest == "" {
		return "", "", fmt.Errorf("value without a closing quote")
	}
	return b.String(), rest[1:], nil
}

func trim(s string) string {
	return strings.Trim(s, " \t\r\n")
}
