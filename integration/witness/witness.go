// Package witness judges what several parties have seen of names that they all change: whether each read can be what was
// there at some moment between its beginning and its end, given when each write began and ended.
package witness

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// History is what was done to names and seen of them. A value is of one write only; "" is a name that is not there. It is safe
// for concurrent use.
type History struct {
	mu     sync.Mutex
	writes map[string][]Event // by name
	reads  map[string][]Event
}

// Event is a write or a read that took effect at some moment between two.
type Event struct {
	From, To time.Time
	Who      string
	Value    string
	Some     bool // of a read: the name is there, with whatever value
	Maybe    bool // of a write: it has lost to another, and was seen by its own machine until then
	Open     bool // of a write: it may take effect at any time after From
}

// New returns a history of names that are not there.
func New() *History {
	return &History{writes: map[string][]Event{}, reads: map[string][]Event{}}
}

// Wrote notes a write.
func (h *History) Wrote(name string, e Event) { h.note(h.writes, name, e) }

// Read notes a read.
func (h *History) Read(name string, e Event) { h.note(h.reads, name, e) }

func (h *History) note(list map[string][]Event, name string, e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list[name] = append(list[name], e)
}

// Check returns what was seen that cannot be: a value that was not written before the end of the read, or that another write
// had taken the place of, wholly, before the read began. A removal is a write of "", of which there may be many; so is the
// state at the beginning.
func (h *History) Check() (wrong []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name, reads := range h.reads {
		writes := h.writes[name]
		for _, r := range reads {
			if !possible(r, writes) {
				wrong = append(wrong, h.story(name, r))
			}
		}
	}
	return wrong
}

// story tells of a read that cannot be, and of what was written before it.
func (h *History) story(name string, r Event) string {
	all := append(slices.Clone(h.writes[name]), r)
	slices.SortFunc(all, func(a, b Event) int { return a.From.Compare(b.From) })
	text := fmt.Sprintf("%s has seen %q in %s:", r.Who, r.Value, name)
	for _, e := range all {
		text += fmt.Sprintf("\n\t%v to %v %s %q", e.From.Sub(r.From), e.To.Sub(r.From), e.Who, e.Value)
		if e.Maybe || e.Open {
			text += " perhaps"
		}
	}
	return text
}

func possible(r Event, writes []Event) bool {
	start := Event{Value: ""}
	for i := -1; i < len(writes); i++ {
		w := start
		if i >= 0 {
			w = writes[i]
		}
		seen := w.Value == r.Value
		if r.Some {
			seen = w.Value != ""
		}
		if seen && w.From.Before(r.To) && !replaced(w, r, writes) {
			return true
		}
	}
	return false
}

// replaced reports whether another write came wholly after w and wholly before r.
func replaced(w, r Event, writes []Event) bool {
	if w.Open {
		return false
	}
	for _, later := range writes {
		if !later.Maybe && !later.Open && w.To.Before(later.From) && later.To.Before(r.From) {
			return true
		}
	}
	return false
}
