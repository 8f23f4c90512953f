package readlease

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// history is what was done to names and seen of them. A value is of one write only; "" is a name that is not there.
type history struct {
	mu     sync.Mutex
	writes map[string][]event // by name
	reads  map[string][]event
}

// event is a write or a read that took effect at some moment between two.
type event struct {
	from, to time.Time
	who      string
	value    string
	some     bool // of a read: the name is there, with whatever value
	maybe    bool // of a write: it has lost to another, and was seen by its own machine until then
}

func newHistory() *history {
	return &history{writes: map[string][]event{}, reads: map[string][]event{}}
}

func (h *history) note(list map[string][]event, name string, e event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list[name] = append(list[name], e)
}

// check returns what was seen that cannot be: a value that was not written before the end of the read, or that another write
// had taken the place of, wholly, before the read began. A removal is a write of "", of which there may be many; so is the
// state at the beginning.
func (h *history) check() (wrong []string) {
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
func (h *history) story(name string, r event) string {
	all := append(slices.Clone(h.writes[name]), r)
	slices.SortFunc(all, func(a, b event) int { return a.from.Compare(b.from) })
	text := fmt.Sprintf("%s has seen %q in %s:", r.who, r.value, name)
	for _, e := range all {
		text += fmt.Sprintf("\n\t%v to %v %s %q", e.from.Sub(r.from), e.to.Sub(r.from), e.who, e.value)
	}
	return text
}

func possible(r event, writes []event) bool {
	start := event{value: ""}
	for i := -1; i < len(writes); i++ {
		w := start
		if i >= 0 {
			w = writes[i]
		}
		seen := w.value == r.value
		if r.some {
			seen = w.value != ""
		}
		if seen && w.from.Before(r.to) && !replaced(w, r, writes) {
			return true
		}
	}
	return false
}

// replaced reports whether another write came wholly after w and wholly before r.
func replaced(w, r event, writes []event) bool {
	for _, later := range writes {
		if !later.maybe && w.to.Before(later.from) && later.to.Before(r.from) {
			return true
		}
	}
	return false
}
