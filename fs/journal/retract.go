package journal

// After a failed sync, a Put that was not acknowledged may be on disk all the same, with the end of other entries. Nothing
// else is acknowledged before that is taken back: the next batch, of which the writer makes one at once, begins with records
// that end what the Put has brought, and have what was there before once more. Each is there as a whole or not at all.

// doubtLocked notes records that may be on disk.
func (j *Journal) doubtLocked(records []record) {
	for _, r := range records {
		if !r.again && len(r.puts) > 0 {
			r.bytes = nil
			j.mu.doubtful = append(j.mu.doubtful, r)
		}
	}
}

// retract returns the records that take back what may be on disk.
func (j *Journal) retract() ([]record, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []record
	for i := range j.mu.doubtful {
		back, err := j.backLocked(&j.mu.doubtful[i])
		if err != nil {
			return nil, err
		}
		list = append(list, back...)
	}
	return list, nil
}

// backLocked takes one record back: with one record, or where that would be too large with one for each entry.
func (j *Journal) backLocked(r *record) ([]record, error) {
	all := record{again: true}
	var single []record
	add := func(c change, ends bool) error {
		one := record{again: true}
		if ends {
			one.forgets = []change{{kind: kindForget, id: c.id, seq: c.seq}}
		}
		if e := j.mu.live[c.id]; e != nil {
			before, err := e.again(c.id)
			if err != nil {
				return err
			}
			one.puts = []change{before}
		}
		all.puts, all.forgets = append(all.puts, one.puts...), append(all.forgets, one.forgets...)
		single = append(single, one)
		return nil
	}
	for _, c := range r.forgets {
		if err := add(c, false); err != nil {
			return nil, err
		}
	}
	for _, c := range r.puts {
		if err := add(c, true); err != nil {
			return nil, err
		}
	}
	all.encode()
	if len(all.bytes)-recordHead <= maxPayload {
		return []record{all}, nil
	}
	for i := range single {
		single[i].encode()
	}
	return single, nil
}

// settledLocked says that all is taken back durably.
func (j *Journal) settledLocked() {
	var made []uint64
	for _, r := range j.mu.doubtful {
		for _, c := range r.puts {
			if c.made {
				made = append(made, c.file)
			}
		}
	}
	j.mu.doubtful = nil
	j.removeData(made)
}
