// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// A finding is a way in which tests find a mutant. Several ways may find the same mutant.
type finding string

const (
	failure  finding = "failed check or panic"
	race     finding = "race detector"
	leak     finding = "goroutine left"
	deadlock finding = "deadlock named"
	hang     finding = "no end"
	again    finding = "only simulation or repetition"
)

var findings = []finding{failure, race, leak, deadlock, hang, again}

// patterns match the output of a test that has a finding.
var patterns = map[finding]*regexp.Regexp{
	failure:  regexp.MustCompile(`(?m)_test\.go:\d+: |^panic: |^fatal error: `),
	race:     regexp.MustCompile(`WARNING: DATA RACE`),
	leak:     regexp.MustCompile(`found unexpected goroutines`),
	deadlock: regexp.MustCompile(`task: deadlock: |all goroutines are asleep`),
}

// timedOut is what package testing prints when a test does not end. Findings do not count in
// the stacks that follow.
const timedOut = "panic: test timed out"

// A study deletes statements and runs the tests.
type study struct {
	seed uint64
	most int    // most mutants for each side
	dir  string // directory of the test binaries

	// The bounds of the two runs. A test run that takes longer counts as a hang.
	first, second time.Duration
}

// run studies both sides of the programs, and writes a table.
func (s study) run(ctx context.Context, out io.Writer, chosen []Program) error {
	var err error
	if s.dir, err = os.MkdirTemp("", "baton-mutants-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	fmt.Fprintf(out, "At most %d statements of each side, drawn with the seed %d (-seed).\n\n", s.most, s.seed)
	fmt.Fprint(out, "| program | side | mutants | found |")
	for _, f := range findings {
		fmt.Fprintf(out, " %s |", f)
	}
	fmt.Fprintf(out, " survived |\n| --- | --- | ---: | ---: |%s ---: |\n", strings.Repeat(" ---: |", len(findings)))
	for _, p := range chosen {
		for _, side := range sides {
			if err := s.side(ctx, out, p, side); err != nil {
				return err
			}
		}
	}
	return nil
}

// setBounds measures the tests without a mutant, and fails if they fail. A mutant may take four
// times as long, plus ten seconds.
func (s *study) setBounds(ctx context.Context, p Program, side string) error {
	s.first, s.second = 10*time.Minute, 10*time.Minute
	binary := filepath.Join(s.dir, "test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-race", "-o", binary, "./examples/compare/"+p.Name)
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	took := [2]time.Duration{}
	for i, args := range runs(side) {
		began := time.Now()
		out, err := s.once(ctx, p, binary, s.first, args...)
		if err != nil {
			return err
		}
		if out != "" {
			return fmt.Errorf("the tests of %s, %s fail without a mutant:\n%s", p.Name, side, out)
		}
		took[i] = 4*time.Since(began) + 10*time.Second
	}
	s.first, s.second = took[0], took[1]
	return nil
}

// side studies one side. It writes a row, and another row for the locks.
func (s study) side(ctx context.Context, out io.Writer, p Program, side string) error {
	if err := s.setBounds(ctx, p, side); err != nil {
		return err
	}
	for _, lock := range []bool{false, true} {
		chosen, err := s.choose(ctx, p, side, lock)
		if err != nil {
			return err
		}
		title := side
		if lock {
			title += ", forgotten locks"
		}
		if len(chosen) == 0 {
			continue
		}
		if err := s.row(ctx, out, p, side, title, chosen); err != nil {
			return err
		}
	}
	return nil
}

// row tries mutants, and writes a row.
func (s study) row(ctx context.Context, out io.Writer, p Program, side, title string, chosen []mutant) error {
	how := make([][]finding, len(chosen))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.NumCPU())
	for i, m := range chosen {
		group.Go(func() (err error) {
			how[i], err = s.try(ctx, p, side, m, i)
			fmt.Fprintf(os.Stderr, "%s/%s/%v: %q\n", p.Name, side, m, how[i])
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	survived, found := 0, map[finding]int{}
	for _, ways := range how {
		for _, f := range ways {
			found[f]++
		}
		if len(ways) == 0 {
			survived++
		}
	}
	fmt.Fprintf(out, "| %s | %s | %d | %d |", p.Name, title, len(chosen), len(chosen)-survived)
	for _, f := range findings {
		fmt.Fprintf(out, " %d |", found[f])
	}
	fmt.Fprintf(out, " %d |\n", survived)
	return nil
}

// choose draws mutants that compile: with a deleted statement, or with a forgotten lock.
func (s study) choose(ctx context.Context, p Program, side string, lock bool) ([]mutant, error) {
	dir := "./examples/compare/" + p.Name + "/" + side
	all, err := mutants(dir)
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(m mutant) bool { return m.lock != lock })
	rand.New(rand.NewPCG(s.seed, 0)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	var chosen []mutant
	for _, m := range all {
		if len(chosen) == s.most {
			break
		}
		overlay, err := s.overlay(m, 0)
		if err != nil {
			return nil, err
		}
		if exec.CommandContext(ctx, "go", "build", "-overlay", overlay, dir).Run() == nil {
			chosen = append(chosen, m)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return chosen, nil
}

// overlay writes the overlay file with which the go command builds a mutant.
func (s study) overlay(m mutant, number int) (string, error) {
	text, err := m.source()
	if err != nil {
		return "", err
	}
	source := filepath.Join(s.dir, fmt.Sprintf("mutant%d.go", number))
	if err := os.WriteFile(source, text, 0o600); err != nil {
		return "", err
	}
	original, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {original: source}})
	if err != nil {
		return "", err
	}
	name := filepath.Join(s.dir, fmt.Sprintf("overlay%d.json", number))
	return name, os.WriteFile(name, overlay, 0o600)
}

// try builds the tests of a program with a mutant, with the race detector, and runs them.
func (s study) try(ctx context.Context, p Program, side string, m mutant, number int) ([]finding, error) {
	overlay, err := s.overlay(m, number)
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(s.dir, fmt.Sprintf("test%d", number))
	build := exec.CommandContext(ctx, "go", "test", "-c", "-race", "-overlay", overlay, "-o", binary,
		"./examples/compare/"+p.Name)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%v: %w\n%s", m, err, out)
	}
	defer os.Remove(binary)
	return s.test(ctx, p, side, binary)
}

// repeats is how often the tests of goroutines run. Together they take about as long as the
// simulated tests, which try many schedules.
const repeats = "20"

// runs returns the arguments of the two runs of the tests of a side. The first run has the
// tests that both sides have. The second run has the simulated tests for tasks, and repeats the
// first run for goroutines.
func runs(side string) [2][]string {
	other := sides[1-slices.Index(sides, side)]
	same := "-test.skip=^TestSim|/^" + other + "$|//^" + other + "$"
	if side == "tasks" {
		return [2][]string{{same}, {"-test.run=^TestSim"}}
	}
	return [2][]string{{same}, {same, "-test.count=" + repeats}}
}

// test runs the tests of a side.
func (s study) test(ctx context.Context, p Program, side, binary string) ([]finding, error) {
	args := runs(side)
	first, err := s.once(ctx, p, binary, s.first, args[0]...)
	if err != nil {
		return nil, err
	}
	if side == "goroutines" && strings.Contains(first, timedOut) {
		return classify(first, ""), nil // the second run would hang as well
	}
	second, err := s.once(ctx, p, binary, s.second, args[1]...)
	if err != nil {
		return nil, err
	}
	return classify(first, second), nil
}

// classify returns the findings in the output of two runs. The output of a run that passes is
// empty.
func classify(first, second string) []finding {
	var how []finding
	one, _, hangs := strings.Cut(first, timedOut)
	two, _, hangsLater := strings.Cut(second, timedOut)
	for _, f := range findings {
		if pattern := patterns[f]; pattern != nil && pattern.MatchString(one+two) {
			how = append(how, f)
		}
	}
	if hangs || hangsLater {
		how = append(how, hang)
	}
	if how == nil && first+second != "" {
		how = append(how, failure)
	}
	if first == "" && second != "" {
		how = append(how, again)
	}
	return how
}

// once runs tests. It returns the output of tests that fail, and "" if all pass.
func (s study) once(
	ctx context.Context, p Program, binary string, bound time.Duration, args ...string,
) (string, error) {
	cmd := exec.CommandContext(ctx, binary, append(args, "-test.timeout="+bound.String())...)
	cmd.Dir = path.Join("examples/compare", p.Name)
	out, err := cmd.CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return "", nil
	}
	return string(out), nil
}
