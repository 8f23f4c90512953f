package volume

import "slices"

// Status is what a volume has in hand.
type Status struct {
	Open    int   // files that are open, or closed and not stored yet
	Unsaved int   // files among these that have changes which are not stored
	Bytes   int64 // size of the unsaved files
	Names   int   // names that are remembered

	Conflicts []string // paths of the last conflict files that were made here, oldest first
}

// maxConflicts bounds what is remembered of conflicts.
const maxConflicts = 64

// noteConflict remembers a conflict file.
func (v *Volume) noteConflict(path string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.mu.conflicts) == maxConflicts {
		v.mu.conflicts = slices.Delete(v.mu.conflicts, 0, 1)
	}
	v.mu.conflicts = append(v.mu.conflicts, path)
}

// Status returns what the volume has in hand now. It waits for no request.
func (v *Volume) Status() Status {
	s := Status{Names: v.names.Len()}
	v.mu.Lock()
	s.Conflicts = slices.Clone(v.mu.conflicts)
	v.mu.Unlock()
	for _, n := range v.openInodes() {
		n.mu.Lock()
		if n.mu.content != nil {
			s.Open++
		}
		if n.unsavedLocked() {
			s.Unsaved++
			s.Bytes += n.mu.content.size()
		}
		n.mu.Unlock()
	}
	return s
}
