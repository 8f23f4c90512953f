package volume

// Status is what a volume has in hand.
type Status struct {
	Open    int   // files that are open, or closed and not stored yet
	Unsaved int   // files among these that have changes which are not stored
	Bytes   int64 // size of the unsaved files
	Names   int   // names that are remembered
}

// Status returns what the volume has in hand now. It waits for no request.
func (v *Volume) Status() Status {
	s := Status{Names: v.names.Len()}
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
