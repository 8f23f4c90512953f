package volume

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/sync/errgroup"

	"pail/fs/attr"
	"pail/fs/keymap"
	"pail/fs/links"
	"pail/fs/tree"
	"pail/s3client"
)

// notFound reports whether a key is not there, which is not the same as the bucket.
func notFound(err error) bool {
	return errors.Is(err, s3client.ErrNotFound) && !errors.Is(err, s3client.ErrNoBucket)
}

// resolve returns what is at a path, with its attributes, from the cache or the service.
func (v *Volume) resolve(ctx context.Context, path string) (object, tree.Stamp, error) {
	o, state, s := v.names.Get(path)
	if state != tree.Absent && (state != tree.Present || !v.complete(o)) {
		switch o, state, s := v.sure(path); {
		case state == tree.Absent:
			return object{}, s, ErrNotExist
		case state == tree.Present && o.full:
			return o, s, nil
		}
	}
	if state != tree.Absent && state != tree.Present {
		if s, ok := v.knownAbsent(path); ok {
			return object{}, s, ErrNotExist
		}
		if v.glance(ctx, path) {
			o, state, s = v.names.Get(path)
		}
	}
	switch {
	case state == tree.Absent:
		return object{}, s, ErrNotExist
	case state == tree.Present && v.complete(o):
		return o, s, nil
	case state == tree.Present:
		waited := v.awaitAhead(ctx, path)
		// What was on its way may have come since the cache was looked at, be it that nothing is to be waited for any more.
		if now, state, s := v.names.Get(path); state == tree.Present && v.complete(now) {
			return now, s, nil
		} else if state == tree.Absent {
			return object{}, s, ErrNotExist
		}
		if !waited {
			return v.fill(ctx, path, o)
		}
		// It failed, or is old already.
	}
	return v.fetch(ctx, path)
}

// fill completes what a listing told.
func (v *Volume) fill(ctx context.Context, path string, o object) (object, tree.Stamp, error) {
	key := o.info.Key
	if o.dir && key == "" {
		key = v.markerKey(path)
	}
	s := v.names.Begin()
	info, err := v.client.Head(ctx, key)
	switch {
	case err == nil:
		filled := v.newObject(info)
		filled.sys = true
		if filled.dir != o.dir || o.view {
			return v.fetch(ctx, path) // a directory in an old form, or something else by now
		}
		return v.learnPart(path, filled, s)
	case notFound(err) && o.dir && o.info.Key == "" && !v.outlives(path):
		return v.learn(path, v.implicitDir(), s) // the listing has shown that something is in it
	case notFound(err):
		return v.fetch(ctx, path)
	}
	return object{}, s, err
}

// learn puts an answer into the cache, and returns what is right: the answer, or what has happened since.
func (v *Volume) learn(path string, o object, s tree.Stamp) (object, tree.Stamp, error) {
	return v.learnBy(v.names.Put, path, o, s)
}

// learnPart is learn for an answer about a key, which does not tell whether its name is a directory's as well.
func (v *Volume) learnPart(path string, o object, s tree.Stamp) (object, tree.Stamp, error) {
	return v.learnBy(v.names.PutPart, path, o, s)
}

func (v *Volume) learnBy(put func(string, object, tree.Stamp) bool, path string, o object, s tree.Stamp) (object, tree.Stamp, error) {
	known, _, _ := v.names.Get(path)
	o = o.withTime(known)
	if put(path, o, s) {
		return o, s, nil
	}
	if later, state, t := v.names.Get(path); s.Before(t) {
		switch {
		case state == tree.Absent || state == tree.WasAbsent:
			return object{}, t, ErrNotExist
		case (state == tree.Present || state == tree.WasPresent) && later.full:
			return later.withHeaders(o), t, nil
		}
	}
	return o, s, nil
}

// learnAbsent is learn for a name that is not there.
func (v *Volume) learnAbsent(path string, s tree.Stamp) (object, tree.Stamp, error) {
	if !v.names.PutAbsent(path, s) {
		later, state, t := v.names.Get(path)
		if s.Before(t) && (state == tree.Present || state == tree.WasPresent) && later.full {
			return later, t, nil
		}
	}
	return object{}, s, ErrNotExist
}

// fetch asks the service what is at a path: the object and the first key below it at once, then the marker if there is
// one whose attributes are not known.
func (v *Volume) fetch(ctx context.Context, path string) (object, tree.Stamp, error) {
	s := v.names.Begin()
	o, err := v.ask(ctx, path)
	switch {
	case errors.Is(err, ErrNotExist):
		return v.learnAbsent(path, s)
	case err != nil:
		return object{}, s, err
	}
	return v.learn(path, o, s)
}

func (v *Volume) ask(ctx context.Context, path string) (object, error) {
	if path == "" {
		return v.askRoot(ctx)
	}
	if v.keys.Synthetic(path) {
		return v.askSynthetic(ctx, path)
	}
	if _, _, shared := links.ParseInode(path); shared {
		return v.headObject(ctx, v.keys.File(path))
	}
	if _, ok := v.keys.MarkerContent(path); ok {
		o, err := v.headObject(ctx, v.keys.File(path))
		if err == nil && o.info.Size == 0 {
			err = ErrNotExist
		}
		return v.asView(o), err
	}
	if dir, ok := v.keys.ClashAlias(path); ok {
		return v.askClash(ctx, path, dir)
	}
	file, dir, err := v.askBoth(ctx, path, path)
	switch {
	case err != nil:
		return object{}, err
	case dir != nil && file != nil && file.dir && dir.info.Key == "": // its marker in an old form
		return *file, nil
	case dir != nil:
		return *dir, nil
	case file != nil:
		return *file, nil
	}
	return object{}, ErrNotExist
}

// askClash asks for an object that shares its name with a directory.
func (v *Volume) askClash(ctx context.Context, path, dirPath string) (object, error) {
	file, dir, err := v.askBoth(ctx, path, dirPath)
	if err == nil && (dir == nil || file == nil || file.dir) {
		err = ErrNotExist
	}
	if err != nil {
		return object{}, err
	}
	return *file, nil
}

// askBoth asks for a file and a directory at once; nil is one that is not there.
func (v *Volume) askBoth(ctx context.Context, filePath, dirPath string) (file, dir *object, err error) {
	var folder *object
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() (err error) {
		file, err = v.headMaybe(ctx, v.keys.File(filePath))
		return err
	})
	work.Go(func() (err error) {
		dir, err = v.askDir(ctx, dirPath)
		return err
	})
	if key := v.keys.FolderMarker(dirPath); v.opt.CompatDir && key != "" {
		work.Go(func() (err error) {
			folder, err = v.headMaybe(ctx, key)
			return err
		})
	}
	err = work.Wait()
	if folder != nil && folder.info.Size == 0 && (dir == nil || dir.info.Key == "") {
		dir = folder
	}
	return file, dir, err
}

// askDir finds out from the first key below a directory whether it exists and whether it has a marker. Both sort first,
// so one key is enough.
func (v *Volume) askDir(ctx context.Context, path string) (*object, error) {
	marker := v.keys.Dir(path)
	if len(marker) > s3client.MaxKeyLength {
		return nil, nil
	}
	keys := 1
	if marker == v.keys.RootMarker() {
		keys = 2 // the marker of the root, which looks like one of a directory without a name
	}
	page, err := v.client.List(ctx, s3client.ListQuery{Prefix: marker, MaxKeys: keys, WithMeta: v.caps.ListMetadata})
	if err != nil || len(page.Objects) < keys {
		return nil, err
	}
	first := page.Objects[0]
	if first.Key != marker {
		o := v.implicitDir()
		return &o, nil
	}
	if known, _, _ := v.names.Get(path); known.dir && v.unchanged(path, known, first) {
		known.at = v.opt.Now()
		return &known, nil
	}
	if o := v.newObject(first); o.full {
		return &o, nil
	}
	o, err := v.headMaybe(ctx, marker)
	if o == nil && err == nil {
		implicit := v.implicitDir()
		o = &implicit
	}
	return o, err
}

// askRoot asks for the root's own attributes. The root exists whatever the answer.
func (v *Volume) askRoot(ctx context.Context) (object, error) {
	o, err := v.headMaybe(ctx, v.keys.RootMarker())
	switch {
	case err != nil:
		return object{}, err
	case o == nil:
		return v.implicitDir(), nil
	}
	return *o, nil
}

// askSynthetic looks for anything in a directory that stands for a part of long keys.
func (v *Volume) askSynthetic(ctx context.Context, path string) (object, error) {
	q := s3client.ListQuery{Prefix: v.keys.Prefix(path), Delimiter: "/"}
	names := v.keys.List(path)
	for {
		page, err := v.client.List(ctx, q)
		if err != nil {
			return object{}, err
		}
		if len(names.Page(page)) > 0 {
			return v.implicitDir(), nil
		}
		if q.Token = page.NextToken; q.Token == "" {
			return object{}, ErrNotExist
		}
	}
}

// headObject returns the object of a key.
func (v *Volume) headObject(ctx context.Context, key string) (object, error) {
	if len(key) > s3client.MaxKeyLength {
		return object{}, ErrNotExist
	}
	info, err := v.client.Head(ctx, key)
	if err != nil {
		if notFound(err) {
			err = errors.Join(ErrNotExist, err)
		}
		return object{}, err
	}
	if links.Moved(info) {
		return object{}, ErrNotExist
	}
	o := v.newObject(info)
	o.sys = true
	return o, nil
}

// headMaybe is headObject where nil is an object that is not there.
func (v *Volume) headMaybe(ctx context.Context, key string) (*object, error) {
	o, err := v.headObject(ctx, key)
	if errors.Is(err, ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &o, nil
}

// markerKey returns the key of a directory's marker.
func (v *Volume) markerKey(path string) string {
	if path == "" {
		return v.keys.RootMarker()
	}
	return v.keys.Dir(path)
}

// childPath returns the path of a name in a directory.
func (v *Volume) childPath(dir *Inode, name string) (string, error) {
	if !dir.isDir() {
		return "", ErrNotDir
	}
	if len(name) > keymap.MaxName {
		return "", ErrNameTooLong
	}
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", ErrInvalid
	}
	if v.hidden(dir, name) {
		return "", ErrPermission
	}
	path, err := dir.path()
	if err != nil {
		return "", ErrNotExist
	}
	return join(path, name), nil
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// nameError says why nothing can be made at a path.
func nameError(err error) error {
	if errors.Is(err, keymap.ErrTooLong) {
		return errors.Join(ErrNameTooLong, err)
	}
	if err != nil {
		return errors.Join(ErrInvalid, err)
	}
	return nil
}

// typeOf returns the file type of a full object.
func typeOf(o object) uint32 { return o.attr.Mode & attr.TypeMask }
