// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"baton/examples/internal/selfsigned"
)

// The default timeouts of a page. The timeout of the demo site is shorter, because there only
// the page that stalls takes long.
const (
	pageTime = 30 * time.Second
	demoTime = time.Second
)

// parse parses the command line: flags, with one dash or two, and URLs, in any order. It writes
// an error and the usage to out, and returns the error. The error is flag.ErrHelp if the user
// asks for the usage.
func parse(args []string, out io.Writer) (cfg config, roots []string, err error) {
	flags := flag.NewFlagSet("crawl", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // package flag would write errors in another form
	flags.IntVar(&cfg.MaxRedirect, "max_redirect", 10, "follow at most so many redirects in a row")
	flags.IntVar(&cfg.MaxTries, "max_tries", 4, "try a page so often while connections break")
	flags.IntVar(&cfg.MaxTasks, "max_tasks", 100, "fetch so many pages at a time")
	flags.IntVar(&cfg.MaxPool, "max_pool", 100, "keep so many idle connections")
	flags.BoolFunc("strict", "stay on the hosts of the URLs given (default)", func(s string) error {
		strict, err := strconv.ParseBool(s)
		cfg.Lenient = !strict
		return err
	})
	flags.BoolVar(&cfg.Lenient, "lenient", false, "stay in the domains of the URLs given")
	flags.BoolFunc("v", "say more: report every URL; twice: every fetch, too; three times: connections", count(&cfg.Level, 1))
	flags.BoolFunc("q", "say less: no progress, no errors", count(&cfg.Level, -1))
	flags.Func("exclude", "skip URLs that match this `regexp`", func(s string) (err error) {
		cfg.Exclude, err = regexp.Compile(s)
		return err
	})
	flags.Func("cafile", "for https, trust the certificates in this `file` instead of the system's", func(s string) (err error) {
		cfg.TLS, err = selfsigned.Client(s)
		return err
	})
	limit := fmt.Sprintf("give a page up after this `duration` (default %v, on the demo site %v)", pageTime, demoTime)
	flags.Func("timeout", limit, func(s string) (err error) {
		cfg.Timeout, err = time.ParseDuration(s)
		return err
	})
	args, roots = split(flags, args)
	cfg.Timeout = pageTime
	if len(roots) == 0 {
		cfg.Timeout = demoTime
	}
	err = flags.Parse(args)
	if err == nil {
		err = cfg.check()
	}
	if err == nil {
		return cfg, roots, nil
	}
	if !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(out, "crawl:", err)
	}
	fmt.Fprintln(out, "usage: crawl [flags] [URL...]")
	fmt.Fprintln(out, "Without a URL it crawls a demo site of its own.")
	flags.SetOutput(out)
	flags.PrintDefaults()
	return cfg, nil, err
}

// count returns the function of a flag without a value that adds by to *p each time it is
// given.
func count(p *int, by int) func(string) error {
	return func(s string) error {
		on, err := strconv.ParseBool(s)
		if on {
			*p += by
		}
		return err
	}
}

// counted matches repeated letters behind one dash, such as -vv.
var counted = regexp.MustCompile(`^-[vq]{2,}$`)

// split separates the flags, with their values, from the URLs. Package flag takes every
// argument after the first URL for a URL, and does not know -vv. After -- there are only URLs.
func split(known *flag.FlagSet, args []string) (flags, roots []string) {
	for i := 0; i < len(args); i++ {
		switch arg := args[i]; {
		case arg == "--":
			return flags, append(roots, args[i+1:]...)
		case !strings.HasPrefix(arg, "-") || arg == "-":
			roots = append(roots, arg)
		case counted.MatchString(arg):
			for _, letter := range arg[1:] {
				flags = append(flags, "-"+string(letter))
			}
		default:
			flags = append(flags, arg)
			if takesNext(known, arg) && i+1 < len(args) {
				i++
				flags = append(flags, args[i])
			}
		}
	}
	return flags, roots
}

// takesNext reports whether the next argument is the value of the flag arg.
func takesNext(known *flag.FlagSet, arg string) bool {
	f := known.Lookup(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")) // not found with =value
	if f == nil {
		return false
	}
	alone, ok := f.Value.(interface{ IsBoolFlag() bool })
	return !ok || !alone.IsBoolFlag()
}

// check returns an error if a number is out of range.
func (cfg config) check() error {
	switch {
	case cfg.MaxTasks < 1:
		return errors.New("-max_tasks must be at least 1")
	case cfg.MaxTries < 1:
		return errors.New("-max_tries must be at least 1")
	case cfg.MaxRedirect < 0:
		return errors.New("-max_redirect must not be negative")
	case cfg.MaxPool < 0:
		return errors.New("-max_pool must not be negative")
	case cfg.Timeout <= 0:
		return errors.New("-timeout must be more than 0")
	}
	return nil
}
