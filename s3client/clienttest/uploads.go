package clienttest

import (
	"fmt"
	"maps"
	"slices"

	"pail/s3client"
)

// lister returns the client as an UploadLister; to be one is not part of the contract.
func (s *suite) lister() s3client.UploadLister {
	s.Helper()
	lister, ok := s.c.(s3client.UploadLister)
	if !ok {
		s.Skip("the client does not list uploads")
	}
	return lister
}

// pending follows the pages of at most limit uploads.
func (s *suite) pending(prefix string, limit int) (all []s3client.PendingUpload, pages int) {
	s.Helper()
	lister := s.lister()
	q := s3client.UploadsQuery{Prefix: prefix, Max: limit}
	for {
		page, err := lister.ListUploads(s.ctx, q)
		if err != nil {
			s.Fatalf("ListUploads %+v: %v", q, err)
		}
		pages++
		all = append(all, page.Uploads...)
		if page.NextKey == "" {
			return all, pages
		}
		if pages > 100 {
			s.Fatal("the listing does not end")
		}
		q.AfterKey, q.AfterID = page.NextKey, page.NextID
	}
}

func (s *suite) uploadsList() {
	if all, _ := s.pending("", 0); len(all) != 0 {
		s.Errorf("an empty bucket has uploads %+v", all)
	}
	key := "dir/big é+ &<>"
	kept, aborted := s.newUpload(key, s3client.PutOptions{}), s.newUpload("dir/aborted", s3client.PutOptions{})
	done := s.newUpload("dir/done", s3client.PutOptions{})
	s.newUpload("elsewhere", s3client.PutOptions{})
	s.complete(done, s.part(done, 1, "x"))
	if err := aborted.Abort(s.ctx); err != nil {
		s.Fatal(err)
	}
	all, _ := s.pending("dir/", 0)
	if len(all) != 1 || all[0].Key != key || all[0].ID != kept.ID() || all[0].Begun.IsZero() {
		s.Fatalf("uploads are %+v, want that of %q with id %s", all, key, kept.ID())
	}
	again, err := s.c.ResumeUpload(s.ctx, all[0].Key, all[0].ID, s3client.PutOptions{})
	if err != nil {
		s.Fatal(err)
	}
	if err := again.Abort(s.ctx); err != nil {
		s.Fatal(err)
	}
	if all, _ := s.pending("dir/", 0); len(all) != 0 {
		s.Errorf("after the abort there is still %+v", all)
	}
}

func (s *suite) uploadsListPages() {
	s.lister()
	want := map[string]string{} // id to key
	for i := range 5 {
		key := fmt.Sprintf("k%d", i/2) // two uploads of one key may be on two pages
		want[s.newUpload(key, s3client.PutOptions{}).ID()] = key
	}
	all, pages := s.pending("", 1)
	if pages < 5 {
		s.Errorf("%d pages of one upload each", pages)
	}
	got := map[string]string{}
	for _, u := range all {
		got[u.ID] = u.Key
	}
	if len(all) != len(want) || !maps.Equal(got, want) {
		s.Errorf("uploads are %+v, want %v", all, want)
	}
	if !slices.IsSortedFunc(all, func(a, b s3client.PendingUpload) int {
		switch {
		case a.Key < b.Key:
			return -1
		case a.Key > b.Key:
			return 1
		}
		return 0
	}) {
		s.Errorf("not in the order of keys: %+v", all)
	}
}
