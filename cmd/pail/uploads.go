package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"pail/cmd/internal/opt"
	"pail/s3client"
)

// unfinishedUploads lists, or aborts, multipart uploads that were neither completed nor aborted.
func unfinishedUploads(m *opt.Mount, stdout, stderr io.Writer) error {
	if err := absolutePaths(m); err != nil {
		return err
	}
	below := m.Prefix
	m.Prefix = "" // there may be uploads where there is no object yet
	m.ReadOnly = m.Uploads.List
	ctx := context.Background()
	client, _, err := openClient(ctx, m, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	u := uploads{client: client, report: uploadTable}
	if m.Uploads.JSON {
		u.report = uploadJSON
	}
	if m.Uploads.Abort {
		u.abort, u.before = true, time.Now().Add(-m.Uploads.Age)
	}
	shown, err := u.run(ctx, below, stdout)
	if errors.Is(err, s3client.ErrUnsupported) {
		return fmt.Errorf("%s does not list unfinished uploads: %w", m.Endpoint, err)
	}
	if shown == 0 && err == nil && !m.Uploads.JSON {
		fmt.Fprintln(stderr, "pail: no such unfinished uploads")
	}
	return err
}

// uploads goes through the unfinished uploads of a bucket.
type uploads struct {
	client s3client.Client
	report func(w io.Writer, first bool, u s3client.PendingUpload) error
	abort  bool
	before time.Time // abort those begun before
}

// run reports the uploads below a prefix, or those that it aborts, and returns their number. Of those that cannot be
// aborted the error names each; the others are aborted all the same.
func (u uploads) run(ctx context.Context, prefix string, w io.Writer) (shown int, err error) {
	var failed []error
	for q := (s3client.UploadsQuery{Prefix: prefix}); ; {
		page, err := s3client.ListUploads(ctx, u.client, q)
		if err != nil {
			return shown, errors.Join(append(failed, err)...)
		}
		for _, pending := range page.Uploads {
			done, err := u.one(ctx, pending)
			if err != nil {
				failed = append(failed, err)
			}
			if !done {
				continue
			}
			if err := u.report(w, shown == 0, pending); err != nil {
				return shown, err
			}
			shown++
		}
		if page.NextKey == "" {
			return shown, errors.Join(failed...)
		}
		q.AfterKey, q.AfterID = page.NextKey, page.NextID
	}
}

// one aborts an upload if that is asked for; done says that it is to be reported.
func (u uploads) one(ctx context.Context, p s3client.PendingUpload) (done bool, err error) {
	if !u.abort {
		return true, nil
	}
	if p.Begun.IsZero() || p.Begun.After(u.before) {
		return false, nil
	}
	handle, err := u.client.ResumeUpload(ctx, p.Key, p.ID, s3client.PutOptions{})
	if err == nil {
		err = handle.Abort(ctx)
	}
	return err == nil, err
}

// uploadTable writes a line for people. Names that would disturb a terminal or the columns are quoted.
func uploadTable(w io.Writer, first bool, u s3client.PendingUpload) error {
	if first {
		if _, err := fmt.Fprintf(w, "%-20s  %-40s  %s\n", "BEGUN", "KEY", "UPLOAD ID"); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%-20s  %-40s  %s\n", begun(u), plain(u.Key), plain(u.ID))
	return err
}

func begun(u s3client.PendingUpload) string {
	if u.Begun.IsZero() {
		return "unknown"
	}
	return u.Begun.UTC().Format(time.RFC3339)
}

// plain quotes a text that is not one plain word.
func plain(s string) string {
	if q := strconv.Quote(s); s == "" || strings.Contains(s, " ") || q != `"`+s+`"` {
		return q
	}
	return s
}

// uploadJSON writes a line for programs.
func uploadJSON(w io.Writer, _ bool, u s3client.PendingUpload) error {
	line := struct {
		Key          string     `json:"key"`
		UploadID     string     `json:"upload_id"`
		Begun        *time.Time `json:"begun,omitempty"`
		StorageClass string     `json:"storage_class,omitempty"`
	}{Key: u.Key, UploadID: u.ID, StorageClass: u.StorageClass}
	if !u.Begun.IsZero() {
		line.Begun = &u.Begun
	}
	return json.NewEncoder(w).Encode(line)
}
