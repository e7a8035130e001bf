// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
)

// object is a line in JSON. A line without figures has a note with the reason, and null for missing
// figures.
type object struct {
	Name      string   `json:"name"`
	Unit      string   `json:"unit"`
	Value     *float64 `json:"value"` // the median of our side
	Peer      string   `json:"peer"`
	PeerValue *float64 `json:"peer_value"` // the median of the peer at its best GOMAXPROCS
	Ratio     *float64 `json:"ratio"`      // value / peer_value
	Procs     int      `json:"procs"`      // GOMAXPROCS of our side
	PeerProcs int      `json:"peer_procs,omitempty"`
	Min       float64  `json:"min,omitempty"` // of the rounds of our side
	Max       float64  `json:"max,omitempty"`
	PeerMin   float64  `json:"peer_min,omitempty"`
	PeerMax   float64  `json:"peer_max,omitempty"`
	Rounds    int      `json:"rounds"`
	Limit     float64  `json:"limit,omitempty"` // the largest ratio that is not marked
	Note      string   `json:"note,omitempty"`
}

// jsonLines is the report for programs: one JSON object on each line.
type jsonLines struct {
	enc *json.Encoder
	err error
}

func newJSON(out io.Writer) report { return &jsonLines{enc: json.NewEncoder(out)} }

func (j *jsonLines) lines(lines []line) {
	for _, l := range lines {
		if err := j.enc.Encode(l.object()); j.err == nil {
			j.err = err
		}
	}
}

func (j *jsonLines) end() error { return j.err }

func (l line) object() object {
	o := object{
		Name: l.name, Unit: l.unit, Procs: l.procs, Peer: l.peer,
		Rounds: l.rounds, Limit: l.limit, Note: l.note,
	}
	if l.note != "" {
		return o
	}
	o.Value, o.PeerValue, o.Ratio = &l.value.median, &l.peerValue.median, &l.ratio
	o.Min, o.Max = l.value.min, l.value.max
	o.PeerMin, o.PeerMax, o.PeerProcs = l.peerValue.min, l.peerValue.max, l.peerProcs
	return o
}

// line returns the line of o.
func (o object) line() line {
	l := line{
		name: o.Name, unit: o.Unit, procs: o.Procs, peer: o.Peer,
		rounds: o.Rounds, limit: o.Limit, note: o.Note,
	}
	if o.Value == nil {
		return l
	}
	l.value = spread{*o.Value, o.Min, o.Max}
	l.peerValue, l.peerProcs = spread{*o.PeerValue, o.PeerMin, o.PeerMax}, o.PeerProcs
	l.ratio = *o.Ratio
	return l
}
