// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// measureApart is measure in a separate process. It starts this program again, which prints its
// lines as JSON.
func (p plan) measureApart(s shape, wanted func(name string) bool) ([]line, error) {
	var names []string
	for _, h := range handoffs {
		if name := s.row(h); wanted(name) {
			names = append(names, regexp.QuoteMeta(name))
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child := exec.Command(self, "-here", "-json",
		"-rounds", strconv.Itoa(p.rounds), "-least", p.least.String(), "-many", strconv.Itoa(atOnce),
		"-run", "^("+strings.Join(names, "|")+")$")
	child.Stderr = os.Stderr
	out, err := child.Output()
	if err != nil {
		return nil, fmt.Errorf("process of %s: %w", s.name, err)
	}
	return readLines(bytes.NewReader(out))
}

// readLines reads the output of jsonLines.
func readLines(in io.Reader) ([]line, error) {
	var lines []line
	for dec := json.NewDecoder(in); ; {
		var o object
		if err := dec.Decode(&o); errors.Is(err, io.EOF) {
			return lines, nil
		} else if err != nil {
			return nil, err
		}
		lines = append(lines, o.line())
	}
}
