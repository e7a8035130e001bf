// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFlags(t *testing.T) {
	for line, want := range map[string]struct {
		set   func(c *config)
		roots []string
	}{
		"":                         {},
		"a b":                      {roots: []string{"a", "b"}},
		"-v":                       {set: func(c *config) { c.Level = 1 }},
		"-v -v a -v":               {set: func(c *config) { c.Level = 3 }, roots: []string{"a"}},
		"-vv":                      {set: func(c *config) { c.Level = 2 }},
		"a -vvv b":                 {set: func(c *config) { c.Level = 3 }, roots: []string{"a", "b"}},
		"-v=true --v":              {set: func(c *config) { c.Level = 2 }},
		"-v=false":                 {},
		"-q":                       {set: func(c *config) { c.Level = -1 }},
		"-q=false":                 {},
		"-vvq":                     {set: func(c *config) { c.Level = 1 }},
		"--lenient":                {set: func(c *config) { c.Lenient = true }},
		"-lenient=true":            {set: func(c *config) { c.Lenient = true }},
		"-lenient=false":           {},
		"--strict":                 {},
		"--lenient --strict":       {},
		"--strict a --lenient":     {set: func(c *config) { c.Lenient = true }, roots: []string{"a"}},
		"-strict=false":            {set: func(c *config) { c.Lenient = true }},
		"-strict=true":             {},
		"a --exclude x+ b":         {set: func(c *config) { c.Exclude = regexp.MustCompile("x+") }, roots: []string{"a", "b"}},
		"--exclude=x -v":           {set: func(c *config) { c.Exclude = regexp.MustCompile("x"); c.Level = 1 }},
		"--exclude -vv a":          {set: func(c *config) { c.Exclude = regexp.MustCompile("-vv") }, roots: []string{"a"}},
		"--exclude -- a":           {set: func(c *config) { c.Exclude = regexp.MustCompile("--") }, roots: []string{"a"}},
		"a --max_redirect 0":       {set: func(c *config) { c.MaxRedirect = 0 }, roots: []string{"a"}},
		"--max_tries 1 a":          {set: func(c *config) { c.MaxTries = 1 }, roots: []string{"a"}},
		"a b --max_tasks=7":        {set: func(c *config) { c.MaxTasks = 7 }, roots: []string{"a", "b"}},
		"-max_pool 0 --max_pool 5": {set: func(c *config) { c.MaxPool = 5 }},
		"a --timeout 2s":           {set: func(c *config) { c.Timeout = 2 * time.Second }, roots: []string{"a"}},
		"--timeout 2s":             {set: func(c *config) { c.Timeout = 2 * time.Second }},
		"-v -- -q --x":             {set: func(c *config) { c.Level = 1 }, roots: []string{"-q", "--x"}},
	} {
		expected := defaults()
		expected.Log, expected.Report = nil, nil
		if len(want.roots) > 0 {
			expected.Timeout = pageTime
		}
		if want.set != nil {
			want.set(&expected)
		}
		var out strings.Builder
		cfg, roots, err := parse(strings.Fields(line), &out)
		if err != nil || out.Len() > 0 || !reflect.DeepEqual(cfg, expected) || !slices.Equal(roots, want.roots) {
			t.Errorf("crawl %s: %+v, %q, %v, %q\nwant %+v, %q", line, cfg, roots, err, &out, expected, want.roots)
		}
	}
}

// parse refuses wrong arguments. It writes the error before the usage.
func TestBadFlags(t *testing.T) {
	for line, message := range map[string]string{
		"-x":                "not defined: -x",
		"a -x":              "not defined: -x",
		"-vx":               "not defined: -vx",
		"-v=3":              "invalid boolean value",
		"--lenient=perhaps": "invalid boolean value",
		"--strict=perhaps":  "invalid boolean value",
		"a --exclude":       "needs an argument: -exclude",
		"--exclude (":       "missing closing )",
		"--max_tasks many":  "invalid value",
		"--max_tasks 0":     "-max_tasks must be at least 1",
		"a --max_tries 0":   "-max_tries must be at least 1",
		"--max_redirect -1": "must not be negative",
		"--max_pool=-1":     "must not be negative",
		"--timeout -1s":     "-timeout must be more than 0",
		"--timeout 0 a":     "-timeout must be more than 0",
		"--timeout soon":    "invalid value",
		"--cafile /none":    "no such file",
		"a --help":          "usage: crawl [flags] [URL...]",
	} {
		var out strings.Builder
		_, _, err := parse(strings.Fields(line), &out)
		if err == nil || !strings.Contains(out.String(), message) {
			t.Errorf("crawl %s: %v, %q, want %q", line, err, &out, message)
		}
		help := strings.HasSuffix(line, "--help")
		if errors.Is(err, flag.ErrHelp) != help {
			t.Errorf("crawl %s: %v", line, err)
		}
		said, usage, found := strings.Cut(out.String(), "usage: crawl ")
		if !found || !strings.Contains(usage, "a demo site of its own") ||
			!strings.Contains(usage, "(default 30s, on the demo site 1s)") || strings.HasPrefix(said, "crawl: ") == help {
			t.Errorf("crawl %s: %q, want the error, after crawl:, and the usage", line, &out)
		}
	}
}
