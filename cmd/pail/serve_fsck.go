package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"pail/cmd/internal/progress"
	"pail/server"
)

// The exit statuses of pail serve --fsck.
const (
	fsckClean   = 0
	fsckDamaged = 1
	fsckFailed  = 2 // it could not be found out
)

// fsck checks all that a server keeps, and says on stdout what is damaged.
func (o *serveOptions) fsck(ctx context.Context, stdout, stderr io.Writer) (status int) {
	bar := progress.New(stderr)
	report, err := server.Check(ctx, server.Options{DataDir: o.data, MetadataDir: o.metadata, Database: o.database,
		MasterKeyFile: o.masterKeys, KMSKeyFile: o.kmsKeys, Log: o.logger(stderr)}, func(p server.CheckProgress) {
		bar.Set(fsckText(p), p.Done, p.Total)
	})
	bar.Clear()
	switch {
	case errors.Is(err, server.ErrDamaged): // beyond opening
		report.Problems = append(report.Problems, err)
	case errors.Is(err, server.ErrInUse):
		fail(stderr, fmt.Errorf("%w; stop it first", err))
		return fsckFailed
	case err != nil:
		fail(stderr, err)
		return fsckFailed
	}
	if o.json {
		err = fsckJSON(stdout, report)
	} else {
		err = fsckPrint(stdout, report)
	}
	switch {
	case err != nil:
		fail(stderr, err)
		return fsckFailed
	case len(report.Problems) > 0:
		return fsckDamaged
	}
	return fsckClean
}

func fsckText(p server.CheckProgress) string {
	if p.Total == 0 {
		return fmt.Sprintf("checking: %d records", p.Rows)
	}
	return fmt.Sprintf("checking: %s of %s", progress.Bytes(p.Done), progress.Bytes(p.Total))
}

func fsckPrint(w io.Writer, r server.CheckReport) error {
	for _, a := range r.Affected {
		fmt.Fprintf(w, "damaged: %s: %v\n", a, a.Err)
	}
	if r.MoreAffected > 0 {
		fmt.Fprintf(w, "damaged: %d more\n", r.MoreAffected)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "problem: %v\n", p)
	}
	if r.MoreProblems > 0 {
		fmt.Fprintf(w, "problem: %d more\n", r.MoreProblems)
	}
	verdict := "clean"
	if n := len(r.Problems) + r.MoreProblems; n > 0 {
		verdict = fmt.Sprintf("%d problems, %d objects or parts damaged", n, len(r.Affected)+r.MoreAffected)
	}
	_, err := fmt.Fprintf(w, "checked %d buckets, %d objects, %d uploads with %d parts, %d files with %s; %d files left by a crash: %s\n",
		r.Buckets, r.Objects, r.Uploads, r.Parts, r.Blobs, progress.Bytes(r.Bytes), r.Orphans, verdict)
	return err
}

// fsckReport is what --json prints. Names must not change.
type fsckReport struct {
	Clean        bool           `json:"clean"`
	Buckets      int            `json:"buckets"`
	Objects      int            `json:"objects"`
	Uploads      int            `json:"uploads"`
	Parts        int            `json:"parts"`
	Files        int            `json:"files"`
	Bytes        int64          `json:"bytes"`
	Orphans      int            `json:"orphans"`
	Affected     []fsckAffected `json:"affected"`
	MoreAffected int            `json:"moreAffected"`
	Problems     []string       `json:"problems"`
	MoreProblems int            `json:"moreProblems"`
}

type fsckAffected struct {
	Bucket   string `json:"bucket"`
	Key      string `json:"key"`
	Version  string `json:"version,omitempty"`
	UploadID string `json:"uploadId,omitempty"`
	Part     int    `json:"part,omitempty"`
	Error    string `json:"error"`
}

func fsckJSON(w io.Writer, r server.CheckReport) error {
	out := fsckReport{Clean: len(r.Problems) == 0, Buckets: r.Buckets, Objects: r.Objects, Uploads: r.Uploads, Parts: r.Parts,
		Files: r.Blobs, Bytes: r.Bytes, Orphans: r.Orphans, MoreAffected: r.MoreAffected, MoreProblems: r.MoreProblems,
		Affected: []fsckAffected{}, Problems: []string{}}
	for _, a := range r.Affected {
		out.Affected = append(out.Affected, fsckAffected{a.Bucket, a.Key, a.Version, a.UploadID, a.Part, a.Err.Error()})
	}
	for _, p := range r.Problems {
		out.Problems = append(out.Problems, p.Error())
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
