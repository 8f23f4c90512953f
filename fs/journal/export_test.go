package journal

// Asked returns how many changes the journal has been asked for.
func (j *Journal) Asked() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return int(j.mu.seq)
}
