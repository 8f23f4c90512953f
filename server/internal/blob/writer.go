package blob

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

var (
	errFinished = errors.New("blob: writer is finished")
	errShort    = errors.New("blob: not as long as announced")
)

// writer is one of three: open, committed or aborted; the last two have file nil.
type writer struct {
	store *Files
	id    ID
	path  string
	want  int64 // announced size, -1 for none
	label []byte

	file  File
	size  int64  // written
	sum   uint32 // of the chunk that is begun
	table []byte // sums of the chunks that are whole
	err   error  // of the first write that failed
}

func (w *writer) Write(p []byte) (int, error) {
	if w.file == nil {
		return 0, errFinished
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.want >= 0 && w.size+int64(len(p)) > w.want {
		w.err = errShort
		return 0, w.err
	}
	if w.want < 0 && w.size/roomEvery != (w.size+int64(len(p)))/roomEvery {
		if w.err = w.store.admit(int64(len(p))); w.err != nil {
			return 0, w.err
		}
	}
	n, err := w.file.WriteAt(p, w.size)
	if err != nil {
		w.err = storageError(err)
		return n, w.err
	}
	w.addSums(p)
	return n, nil
}

func (w *writer) addSums(p []byte) {
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	for len(p) > 0 {
		n := min(int64(len(p)), ChunkSize-w.size%ChunkSize)
		w.sum = crc32.Update(w.sum, castagnoli, p[:n])
		w.size += n
		p = p[n:]
		if w.size%ChunkSize == 0 {
			w.endChunk()
		}
	}
}

func (w *writer) endChunk() {
	w.table = binary.LittleEndian.AppendUint32(w.table, w.sum)
	w.sum = 0
}

func (w *writer) Commit() error {
	if w.file == nil {
		return errFinished
	}
	if err := w.finish(); err != nil {
		w.Abort()
		return err
	}
	f := w.file
	w.file = nil
	f.Close() // synced: nothing is left to fail
	return nil
}

// finish writes the footer and makes file and directory entry durable, both at once.
func (w *writer) finish() error {
	if w.err != nil {
		return w.err
	}
	if w.want >= 0 && w.size != w.want {
		return errShort
	}
	if w.size%ChunkSize != 0 {
		w.endChunk()
	}
	t := trailer{chunk: ChunkSize, size: w.size, id: w.id, tableSum: crc(w.table), label: w.label}
	if _, err := w.file.WriteAt(append(w.table, t.encode()...), w.size); err != nil {
		return storageError(err)
	}
	entry := make(chan error, 1)
	go func() { entry <- w.store.syncs.sync(w.store.dirOf(w.id)) }()
	err := w.file.Sync()
	return storageError(errors.Join(err, <-entry))
}

func (w *writer) Abort() {
	if w.file == nil {
		return
	}
	w.file.Close()
	w.file = nil
	w.store.fs.Remove(w.path) // what cannot be removed is an orphan, swept at the next start
}
